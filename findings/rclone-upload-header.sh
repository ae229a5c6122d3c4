#!/bin/bash
# rclone's --header-upload does not send If-None-Match to S3.
#
# Version: rclone 1.60.1 (Debian 12).
#
# A store of backups wants uploads that never overwrite. For that, S3 has the request header
# 'If-None-Match: *', and rclone has the option --header-upload. Cache-Control and X-Amz-Meta-A,
# given that way, arrive at the server, so one would guess that If-None-Match does too, or that
# rclone refuses it. rclone's S3 backend sends only headers that it knows. It logs one line of
# level ERROR, uploads without the header, overwrites the object, and exits with 0, although other
# errors change the exit code. The option --header sends it, but with every request, not with
# uploads alone.
# Who writes to a bucket through rclone must not rely on this header, and must read the log.
source "$(dirname "$0")/common.bash"

debian rclone=1.60.1+dfsg-2+b5

# A small S3 server: it stores objects, honours If-None-Match, and logs the headers of uploads.
cat >server.py <<'EOF'
import hashlib, http.server

objects = {}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", tag=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if tag:
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
        self.end_headers()

    def do_PUT(self):
        path = self.path.split("?")[0]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        conditional = self.headers.get("If-None-Match") == "*"
        print("PUT", path, "If-None-Match" if conditional else "-",
              self.headers.get("Cache-Control", "-"), self.headers.get("X-Amz-Meta-A", "-"),
              file=log, flush=True)
        if conditional and path in objects:
            return self.answer(412)
        objects[path] = body
        self.answer(200, tag='"%s"' % hashlib.md5(body).hexdigest())

    def do_HEAD(self):
        body = objects.get(self.path.split("?")[0])
        if body is None:
            return self.answer(404)
        self.answer(200, body, '"%s"' % hashlib.md5(body).hexdigest())

    def log_message(self, *arguments):
        pass

log = open("requests", "w")
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port", "w").write(str(server.server_address[1]))
server.serve_forever()
EOF
python3 server.py &
background+=($!)
for _ in {1..100}; do
  [[ ! -s port ]] || break
  sleep 0.1
done

rclone() {
  "$root/usr/bin/rclone" --config /dev/null --s3-provider Other --s3-no-check-bucket \
    --s3-endpoint "http://127.0.0.1:$(<port)" --s3-access-key-id testkey \
    --s3-secret-access-key testsecret --retries 1 --low-level-retries 1 "$@"
}
echo first >first
echo second >second
# upload FILE OPTION…
upload() {
  code rclone copyto "$1" :s3:bucket/object "${@:2}"
}

expect 'exit code of an upload' 0 \
  "$(upload first --header-upload 'Cache-Control: no-store' --header-upload 'X-Amz-Meta-A: b')"
expect 'what arrived' 'PUT /bucket/object - no-store b' "$(tail -1 requests)"
expect 'exit code of a second upload' 0 "$(upload second --header-upload 'If-None-Match: *')"
expect 'what arrived' 'PUT /bucket/object - - -' "$(tail -1 requests)"
expect 'its log says why' yes \
  "$(has "ERROR : object: Don't know how to set key \"If-None-Match\" on upload" output)"
expect 'exit code with --header' 1 "$(upload first --header 'If-None-Match: *')"
expect 'what arrived' 'PUT /bucket/object If-None-Match - -' "$(tail -1 requests)"
