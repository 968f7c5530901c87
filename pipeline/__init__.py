"""The product: repeats, labels, links, bursts. Imports none of our other packages."""
