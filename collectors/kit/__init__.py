"""What all sources share; docs/adding-a-source.md shows how a source is made of it.

``polling`` asks page by page and walks back to its cursor, ``progress`` is that cursor, ``budget``
counts calls, ``money`` counts what they cost, ``web`` speaks HTTP, ``limits`` reads how long we are
asked to wait, ``breaker`` gives up on refused credentials, ``silence`` knows when too little comes,
``rechecks`` looks again at what we hold, ``policy`` says what a platform lets us do with it.
"""
