"""A run as one HTML file that classifies texts in a browser, without a network.

`assets/` has the page: its scripts, which tokenise a text and compute the network as
the package does, its style and its template.

May import: what `inference` may import.

Modules that other rooms use: `page_export`.
"""
