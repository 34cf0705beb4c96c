# The two ends of the reachability tests. A server tells each client its address; a client tells what it was told.
#   serve PORT...                          TCP and UDP, IPv4 and IPv6; prints "ready"
#   ask [SOURCE-PORT] tcp|udp ADDRESS PORT prints the server's view of the client's address, "-" when there is no answer; several are
#                                          asked at once, a line each
import socket
import sys
import threading

PATIENCE = 1.5


def told(address):
    return address[0].removeprefix("::ffff:").split("%")[0].encode()


def serve_tcp(server):
    while True:
        client, address = server.accept()
        client.sendall(told(address))
        client.close()


def serve_udp(server):
    while True:
        _, address = server.recvfrom(100)
        server.sendto(told(address), address)


def serve(ports):
    for port in ports:
        tcp = socket.create_server(("::", port), family=socket.AF_INET6, backlog=64, dualstack_ipv6=True)
        threading.Thread(target=serve_tcp, args=(tcp,)).start()
        for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            udp = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            udp.bind((any_address, port))
            threading.Thread(target=serve_udp, args=(udp,)).start()
    print("ready", flush=True)


def ask(question, source_port):
    protocol, address, port = question
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        try:
            if source_port:
                if family == socket.AF_INET6:
                    client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                client.bind(("", source_port))
            client.connect((address, int(port)))
            if protocol == "udp":
                client.send(b"?")
            return client.recv(100).decode() or "-"
        except OSError:
            return "-"


def main(words):
    if words[0] == "serve":
        serve([int(port) for port in words[1:]])
        return
    source_port = int(words.pop(1)) if words[1].isdigit() else 0
    questions = [words[i:i + 3] for i in range(1, len(words), 3)]
    answers = [None] * len(questions)

    def run(number):
        answers[number] = ask(questions[number], source_port)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n".join(answers))


main(sys.argv[1:])
