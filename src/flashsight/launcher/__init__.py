"""The composition root: settings -> parts -> a running process; and the doctor. Prints nothing: it tells its caller.

build       Config -> processor, engine, backend, chat
run         a service in this process: listens at once, loads beside, drains at the end
background  the same in a process of its own, with a record of it, its log, and stopping it
address     sockets, URLs, and the key that an open address needs
doctor      what is there, what is missing, what would fit
"""
