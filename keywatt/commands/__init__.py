"""One module a command or family of commands; each adds itself to the application."""
