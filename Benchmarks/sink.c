// An object store that costs next to nothing: it reads what it gets and answers 200. Of objects it keeps
// keys and lengths, and the bytes of short ones. Checks no signatures.
//
// Usage: sink. Listens on a free port of 127.0.0.1, prints its URL, and ends with its standard input.
#define _GNU_SOURCE  // strcasestr
#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 4096, SHORT = 1 << 16, OBJECTS = 100000 };

struct object {
  char key[1200];
  long length;
  char *bytes;  // null for a long one
};

static struct object *objects;
static int object_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct object *find(const char *key) {
  for (int i = 0; i < object_count; i++)
    if (strcmp(objects[i].key, key) == 0) return &objects[i];
  return NULL;
}

static void decode(char *text) {
  char *out = text;
  for (char *in = text; *in; in++, out++) {
    unsigned value;
    if (*in == '%' && sscanf(in + 1, "%2x", &value) == 1) {
      *out = (char)value;
      in += 2;
    } else {
      *out = *in;
    }
  }
  *out = 0;
}

static void send_all(int connection, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = send(connection, bytes, count, MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes += sent;
    count -= (size_t)sent;
  }
}

static void answer(int connection, const char *status, const char *more, const char *body, long length,
                   bool is_head) {
  char head[LINE], date[64];
  time_t now = time(NULL);
  struct tm parts;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &parts));
  int count = snprintf(head, sizeof head,
                       "HTTP/1.1 %s\r\nContent-Length: %ld\r\nETag: \"x\"\r\nLast-Modified: %s\r\n"
                       "Date: %s\r\n%s\r\n",
                       status, length, date, date, more);
  send_all(connection, head, (size_t)count);
  if (!is_head && body) send_all(connection, body, (size_t)length);
}

static void list(int connection, const char *query) {
  char prefix[LINE] = "";
  const char *found = strstr(query, "prefix=");
  if (found) {
    snprintf(prefix, sizeof prefix, "%.*s", (int)strcspn(found + 7, "& "), found + 7);
    decode(prefix);
  }
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  fprintf(out, "<ListBucketResult><IsTruncated>false</IsTruncated>");
  pthread_mutex_lock(&lock);
  for (int i = 0; i < object_count; i++)
    if (strncmp(objects[i].key, prefix, strlen(prefix)) == 0 && !strstr(query, "delimiter"))
      fprintf(out,
              "<Contents><Key>%s</Key><Size>%ld</Size><ETag>x</ETag>"
              "<LastModified>2100-01-01T00:00:00Z</LastModified></Contents>",
              objects[i].key, objects[i].length);
  pthread_mutex_unlock(&lock);
  fprintf(out, "</ListBucketResult>");
  fclose(out);
  answer(connection, "200 OK", "", text, (long)length, false);
  free(text);
}

// Takes the rest of a body, of which `had` bytes are at the end of the header.
static char *take_body(int connection, const char *start, long had, long length) {
  static _Thread_local char buffer[1 << 20];
  char *kept = length <= SHORT ? calloc(1, (size_t)length + 1) : NULL;
  long done = had < length ? had : length;
  if (kept) memcpy(kept, start, (size_t)done);
  while (done < length) {
    long rest = length - done;
    ssize_t got = recv(connection, buffer, rest < (long)sizeof buffer ? (size_t)rest : sizeof buffer, 0);
    if (got <= 0) break;
    if (kept) memcpy(kept + done, buffer, (size_t)got);
    done += got;
  }
  return kept;
}

static void *serve(void *argument) {
  int connection = (int)(long)argument;
  static _Thread_local char input[1 << 16];
  for (;;) {
    size_t count = 0;
    char *end = NULL;
    while (!end && count < sizeof input - 1) {
      ssize_t got = recv(connection, input + count, sizeof input - 1 - count, 0);
      if (got <= 0) goto out;
      count += (size_t)got;
      input[count] = 0;
      end = strstr(input, "\r\n\r\n");
    }
    if (!end) break;
    char method[16], target[LINE];
    if (sscanf(input, "%15s %4095s", method, target) != 2) break;
    const char *field = strcasestr(input, "\r\nContent-Length:");
    long length = field && field < end ? atol(field + 17) : 0;
    bool is_conditional = strcasestr(input, "\r\nIf-None-Match:") != NULL;
    if (strcasestr(input, "\r\nExpect:")) send_all(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    char *body = take_body(connection, end + 4, (long)(input + count - end - 4), length);
    char *query = strchr(target, '?');
    if (query) *query++ = 0;
    char *key = strchr(target + 1, '/');
    key = key ? key + 1 : target + strlen(target);
    decode(key);
    bool is_head = strcmp(method, "HEAD") == 0;
    if (query && strstr(query, "list-type")) {
      list(connection, query);
      continue;
    }
    pthread_mutex_lock(&lock);
    struct object *object = find(key);
    const char *status = object ? "200 OK" : "404 Not Found";
    const char *bytes = object ? object->bytes : NULL;
    long size = object ? object->length : 0;
    if (strcmp(method, "PUT") == 0) {
      status = object && is_conditional ? "412 Precondition Failed" : "200 OK";
      if (!object && object_count < OBJECTS) {
        object = &objects[object_count++];
        snprintf(object->key, sizeof object->key, "%s", key);
      }
      object->length = length;
      object->bytes = body;
      size = 0;
    } else if (strcmp(method, "DELETE") == 0) {
      status = "204 No Content";
      if (object) *object = objects[--object_count];
      size = 0;
    }
    char range[100] = "";
    if (bytes && strcmp(method, "GET") == 0) {
      status = "206 Partial Content";
      snprintf(range, sizeof range, "Content-Range: bytes 0-%ld/%ld\r\n", size - 1, size);
    }
    pthread_mutex_unlock(&lock);
    answer(connection, status, range, bytes, size, is_head);
  }
out:
  close(connection);
  return NULL;
}

static void *accept_all(void *argument) {
  int listener = (int)(long)argument;
  for (;;) {
    int connection = accept(listener, NULL, NULL);
    if (connection < 0) return NULL;
    pthread_t thread;
    pthread_create(&thread, NULL, serve, (void *)(long)connection);
    pthread_detach(thread);
  }
}

int main(void) {
  objects = calloc(OBJECTS, sizeof *objects);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (!objects || bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return 1;
  printf("http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  pthread_t thread;
  pthread_create(&thread, NULL, accept_all, (void *)(long)listener);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}
