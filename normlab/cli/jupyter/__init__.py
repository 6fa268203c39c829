"""What JupyterLab is told when ``normlab lab`` starts it.

This folder is put in front of Jupyter's own search path for configuration (``JUPYTER_CONFIG_PATH``)
for that one run, so nothing is written into a learner's own Jupyter settings and a plain
``jupyter lab`` shows what it always showed.

``jupyter_server_config.json``
    The server extensions that stay off, and the file browser of `contents`.
``labconfig/page_config.json``
    The extensions of the page that stay off. A name without a colon means all of its plugins.
    ``announcements`` is the question about Jupyter's news, and the check for newer versions.
``labconfig/default_setting_overrides.json``
    The file browser without its dates, so that the names of the lessons can be read. A learner's
    own setting has the last word.
``custom/custom.css``
    The width of the text. `normlab.cli.lab` names this folder to the server.
``contents.py``
    What the file browser lists, and how a notebook reaches the page.
"""
