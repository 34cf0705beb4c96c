/* Prints what getaddrinfo(3) of the C library it is linked with says of a name: addresses, or the name of the error. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int code, count = 0;
    (void)argc;
    if ((code = getaddrinfo(argv[1], NULL, &hints, &list)) != 0) {
        printf("%s\n", code == EAI_NONAME ? "EAI_NONAME" : code == EAI_AGAIN ? "EAI_AGAIN" : "error");
        return 1;
    }
    for (struct addrinfo *a = list; a; a = a->ai_next, count++) {
        char text[INET6_ADDRSTRLEN];
        const void *address = a->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)a->ai_addr)->sin_addr
                                                      : (void *)&((struct sockaddr_in6 *)a->ai_addr)->sin6_addr;
        if (count < 4)
            printf("%s\n", inet_ntop(a->ai_family, address, text, sizeof text));
    }
    printf("%d addresses\n", count);
    return 0;
}
