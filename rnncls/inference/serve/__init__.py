"""Predictions over HTTP, computed without importing torch.

Modules that other rooms use:

    app      `create_app`: the web application around a classifier that has been loaded
    model    load a run or an ONNX file and check it before it answers
    reload   the classifier that answers, which can be replaced while it is in use
    limits   how much a request may ask for
    server   start the application in one process or in several

May import: what `inference` may import, but no module that imports torch.
"""
