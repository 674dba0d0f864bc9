"""The command ``kdnet``: one file per subcommand, found through the entry-point group ``kdnet.commands``."""
