"""Facebook: a page's feed and tags, asked for or pushed."""
