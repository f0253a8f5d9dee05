"""The only place where the parts meet: command line, web application, worker, bootstrap."""
