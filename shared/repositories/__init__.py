"""Small repositories of text files, catalogs and chat templates: fetched as a whole."""
