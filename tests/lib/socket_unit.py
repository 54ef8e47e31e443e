"""Runs a program as a .socket unit and Restart=always do: keeps a listening socket and passes it to each run.

A line on standard input sends SIGTERM to the program; the line `last` sends a second signal, waits for the end, and starts
it again. At the end of standard input the program is stopped.
"""
import os
import signal
import socket
import sys

kept = socket.create_server(("127.0.0.1", 0), backlog=4096)


def end_with_it(*_):
    os._exit(1)  # the program has ended unasked, and said why


def start():
    signal.signal(signal.SIGCHLD, end_with_it)
    pid = os.fork()
    if pid:
        return pid
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(kept.fileno(), 3)
    os.set_inheritable(3, True)  # if it was 3 before
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    os.execve(sys.argv[1], sys.argv[1:], environment)


def stop(pid):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.kill(pid, signal.SIGINT)  # another signal than the first, which may still be pending
    print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


running = start()
for line in sys.stdin:
    if line.strip() == "last":
        stop(running)
        running = start()
    else:
        os.kill(running, signal.SIGTERM)
os.kill(running, signal.SIGTERM)
stop(running)
