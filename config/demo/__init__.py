"""The demo's scenario: an invented company, its texts, and the generator that times them."""
