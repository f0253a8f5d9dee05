"""What stands in front of several nodes."""

import contextlib
import socket
import threading


class Balancer:
    """Passes connections on to whichever node is named ``target``; what a deploy does in front of clients."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.accepted = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self._sockets = [listener]
        self._threads = [threading.Thread(target=self._accept, args=(listener,))]
        self._threads[0].start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._sockets.append(client)
            try:
                node = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.shutdown(socket.SHUT_RDWR)
                continue
            self._sockets.append(node)
            for source, sink in ((client, node), (node, client)):
                self._threads.append(threading.Thread(target=self._copy, args=(source, sink)))
                self._threads[-1].start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def stop(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()
