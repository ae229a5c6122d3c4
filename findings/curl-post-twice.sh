#!/bin/bash
# curl sends a POST twice, without --retry, if the server ends a connection that was open before.
#
# Version: curl and libcurl 7.88.1 (Debian 12).
#
# A call that must not be made twice (one that attaches a tenant, or makes a timeline) is sent without
# any option that tries again, so one would guess that a server sees it once, or that curl reports an
# error. If the connection was used for a request before, and the server ends it after it has read the
# POST and before it has sent a byte, libcurl takes that for a connection that had been idle too long. It
# opens another one and sends the POST once more. The program gets the second answer and is told
# nothing. A GET on the same connection before the POST is enough.
# CURLOPT_FRESH_CONNECT, or a new process for each such call, sends it once: then it is an error (52).
source "$(dirname "$0")/common.bash"

debian curl=7.88.1-10+deb12u15 libcurl4=7.88.1-10+deb12u15

# A server that answers GET, reads each POST, and answers the first one by ending the connection.
cat >server.py <<'EOF'
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = answer

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        seen = os.path.exists(self.path[1:])
        with open(self.path[1:], "a") as log:
            log.write("POST\n")
        if seen:
            self.answer()
        else:
            self.close_connection = True

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w") as file:
    file.write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
EOF
python3 server.py &
background+=($!)
until [[ -s port ]]; do sleep 0.1; done
url=http://127.0.0.1:$(cat port)
curl=("$root/usr/bin/curl" --silent --noproxy '*')

expect 'exit code of GET, then POST' 0 \
  "$(code "${curl[@]}" "$url/x" --next --silent --data a=1 "$url/after-get")"
expect 'POSTs that the server has read' 2 "$(grep -c POST after-get)"
expect 'exit code of the POST alone' 52 "$(code "${curl[@]}" --data a=1 "$url/alone")"
expect 'POSTs then' 1 "$(grep -c POST alone)"
