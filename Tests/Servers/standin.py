#!/usr/bin/env python3
"""standin.py DIR PORT [--nodes-after S] [--safekeepers N] [--token T] — stands in for a storage service, on 127.0.0.1.

Reads a remote storage DIR (tenants/…) as a storage controller and its pageserver would, and answers as they did when every call was tried (Docs/attach.md), traps included:
PORT controller, PORT + 1 pageserver, PORT + 2 … safekeepers (N of them, 3 if not said). Without --controller's calls the pageserver and safekeepers serve alone, too.
  --nodes-after S   the first S seconds the controller knows no pageserver (400)
  --token T         every call needs `Authorization: Bearer T` (401, 403)
GET /standin on PORT: what happened, a list of [method, port offset, path, body, status], and `initdb`: timelines that were made empty by a call that came too early (a fault of the caller).
POST /standin {"fail": [[METHOD, PATH PREFIX, HOW], …]}: the next call of that kind fails once; HOW is a status, or "cut" (the answer breaks off), "drop" (done, but no answer), "hang",
  "late" (no answer, and done a second later), "loading" (a tenant that is not active yet, and shows no timelines).
It checks nothing of layers, only indexes. Ends when its standard input ends or on SIGTERM; prints "ready" when it serves."""
import argparse, http.server, json, os, re, sys, threading, time

A = argparse.ArgumentParser(); A.add_argument("dir"); A.add_argument("port", type=int); A.add_argument("--nodes-after", type=float, default=0)
A.add_argument("--safekeepers", type=int, default=3); A.add_argument("--token")
A = A.parse_args()
START, LOCK = time.time(), threading.RLock()
HEX, SHARD = r"[0-9a-f]{32}", r"[0-9a-f]{32}(?:-[0-9a-f]{4})?"
log, fails, initdb = [], [], []
attached = {}                       # shard name -> {"generation", "timelines": {id: state}, "stripe"}
controlled, sk_rows = {}, {}        # tenant -> {"stripe", "count"}; (tenant, timeline) -> safekeepers' ids
safekeepers = [{} for _ in range(A.safekeepers)]


def shards_of(tenant):
    d = os.path.join(A.dir, "tenants")
    names = sorted(n for n in (os.listdir(d) if os.path.isdir(d) else []) if re.fullmatch(re.escape(tenant) + "(-[0-9a-f]{4})?", n))
    count = max((int(n[-2:], 16) if len(n) > 32 else 0 for n in names), default=0)
    return [n for n in names if (int(n[-2:], 16) if len(n) > 32 else 0) == count]


def best(paths, prefix, upto):
    g = [int(p[len(prefix):], 16) for p in paths if re.fullmatch(re.escape(prefix) + "[0-9a-f]{8}", p)]
    return max((x for x in g if x <= upto), default=None)


def scan(shard, generation):
    """What a pageserver of that generation sees: (timelines, stripe size or None, highest generation of all)."""
    root = os.path.join(A.dir, "tenants", shard)
    found, top = {}, 0
    tls = os.path.join(root, "timelines")
    for t in sorted(os.listdir(tls)) if os.path.isdir(tls) else []:
        names = os.listdir(os.path.join(tls, t))
        top = max([top] + [int(n[-8:], 16) for n in names if re.fullmatch("index_part.json-[0-9a-f]{8}", n)])
        g = best(names, "index_part.json-", generation)
        if g is not None:
            i = json.load(open(os.path.join(tls, t, f"index_part.json-{g:08x}")))
            m = i["metadata_bytes"]
            found[t] = {"last_record_lsn": i["disk_consistent_lsn"], "prev_record_lsn": m["prev_record_lsn"] or "0/0", "initdb_lsn": m["initdb_lsn"], "gc": m["latest_gc_cutoff_lsn"],
                        "pg_version": m["pg_version"], "size": sum(l["file_size"] for l in i["layer_metadata"].values())}
    gens = [m for m in (re.fullmatch("tenant-manifest-([0-9a-f]{8}).json", n) for n in (os.listdir(root) if os.path.isdir(root) else [])) if m and int(m[1], 16) <= generation]
    stripe = json.load(open(os.path.join(root, max(gens, key=lambda m: m[1])[0]))).get("stripe_size") if gens else None
    return found, stripe, top


def attach(shard, generation):
    tls, stripe, _ = scan(shard, generation)
    attached[shard] = {"generation": generation, "timelines": tls, "stripe": stripe}


def timeline(tenant, tl, s):
    return {"tenant_id": tenant[:32], "timeline_id": tl, "ancestor_timeline_id": None, "ancestor_lsn": None, "last_record_lsn": s["last_record_lsn"], "prev_record_lsn": s["prev_record_lsn"],
            "applied_gc_cutoff_lsn": s["gc"], "min_readable_lsn": s["gc"], "disk_consistent_lsn": s["last_record_lsn"], "remote_consistent_lsn": "0/0",
            "remote_consistent_lsn_visible": s["last_record_lsn"], "initdb_lsn": s["initdb_lsn"], "current_logical_size": s["size"], "current_logical_size_is_accurate": True,
            "current_physical_size": 0, "pg_version": s["pg_version"], "state": "Active", "is_archived": False, "is_invisible": False,
            "walreceiver_status": ": disconnected, safekeeper candidates (id|update_time|commit_lsn): []"}


class Refuse(Exception):
    def __init__(self, status, msg):
        self.status, self.msg = status, msg


def sk_create(n, b):
    k = (b["tenant_id"], b["timeline_id"])
    if k not in safekeepers[n]:     # an existing one: 200, whatever the body says
        safekeepers[n][k] = {"start": b["start_lsn"], "pg_version": b["pg_version"], "system_id": b.get("system_id") or 0, "mconf": b["mconf"]}


def controller(method, path, b):
    if m := re.fullmatch(f"/debug/v1/tenant/({HEX})/import", path):
        if method != "POST": raise Refuse(405, "Method Not Allowed")
        if time.time() - START < A.nodes_after: raise Refuse(400, '"No nodes available"')
        t = m[1]; names = shards_of(t)
        if not names: raise Refuse(404, f"NotFound: 1 (127.0.0.1): NotFound: No shards found for tenant ID {t}")
        seen = [scan(n, 0xFFFFFFFE) for n in names]
        top = max([x[2] for x in seen] + [attached[n]["generation"] for n in names if n in attached])
        stripe = next((x[1] for x in seen if x[1]), 32768)
        for n in names: attach(n, top + 1)
        controlled[t] = {"stripe": stripe, "count": len(names) if len(names[0]) > 32 else 0}
        return 200, {"shards": [{"shard_id": n, "node_id": 1, "generation": top} for n in names]}
    if m := re.fullmatch(f"/debug/v1/tenant/({HEX})/locate", path):
        if m[1] not in controlled: raise Refuse(404, "NotFound: No shards for this tenant ID found")
        return 200, {"shards": [{"shard_id": n, "node_id": 1, "listen_pg_addr": "127.0.0.1", "listen_pg_port": A.port + 100, "listen_grpc_addr": None, "listen_grpc_port": None,
                                 "listen_http_addr": "127.0.0.1", "listen_http_port": A.port + 1, "listen_https_port": None} for n in shards_of(m[1])],
                     "shard_params": {"count": controlled[m[1]]["count"], "stripe_size": controlled[m[1]]["stripe"]}}
    if m := re.fullmatch(f"/control/v1/tenant/({HEX})", path):
        if m[1] not in controlled: raise Refuse(404, f"NotFound: Tenant {m[1]} not found")
        return 200, {"tenant_id": m[1], "shards": [{"tenant_shard_id": n, "node_attached": 1, "node_secondary": [], "last_error": "", "is_reconciling": False, "is_splitting": False,
                     "scheduling_policy": "Active"} for n in shards_of(m[1])], "stripe_size": controlled[m[1]]["stripe"], "policy": {"Attached": 0}, "config": {}}
    if path == "/control/v1/node":
        up = time.time() - START >= A.nodes_after
        return 200, [{"id": 1, "availability": "Active", "scheduling": "Active", "availability_zone_id": "az1", "listen_http_addr": "127.0.0.1", "listen_http_port": A.port + 1}] if up else []
    if path == "/control/v1/safekeeper":
        return 200, [{"id": i + 1, "host": "127.0.0.1", "port": A.port + 200 + i, "http_port": A.port + 2 + i, "https_port": None, "scheduling_policy": "Active"} for i in range(A.safekeepers)]
    if m := re.fullmatch(f"/debug/v1/tenant/({HEX})/timeline/({HEX})/(locate|import)", path):
        k = (m[1], m[2])
        if m[3] == "import" and method == "POST":
            sk_rows[k] = b["sk_set"]
            return 200, None
        if k not in sk_rows: raise Refuse(404, f"NotFound: Timeline {m[1]}/{m[2]} not found")
        return 200, {"generation": 1, "sk_set": sk_rows[k], "new_sk_set": None}
    if m := re.fullmatch(f"/v1/tenant/({HEX})/timeline(?:/({HEX}))?", path):
        if m[1] not in controlled: raise Refuse(404, "NotFound: Tenant not found" if method == "POST" else f"NotFound: Tenant {m[1]} not found")
        zero = shards_of(m[1])[0]
        if method == "POST":
            tl, v = b["new_timeline_id"], b["pg_version"]
            have = attached[zero]["timelines"]
            if tl not in have:      # the trap: a new, empty timeline of that id
                initdb.append([m[1], tl])
                for n in shards_of(m[1]):
                    attached[n]["timelines"][tl] = {"last_record_lsn": "0/14EE150", "prev_record_lsn": "0/14EE0D8", "initdb_lsn": "0/14EE150", "gc": "0/14EE150", "pg_version": v, "size": 7000000}
            elif have[tl]["pg_version"] != v:
                raise Refuse(409, "Conflict: 1 (127.0.0.1) 409 Conflict: 409 Conflict timeline already exists with different parameters")
            s = attached[zero]["timelines"][tl]
            if A.safekeepers:
                conf = {"generation": 1, "members": [{"id": i + 1, "host": "127.0.0.1", "pg_port": A.port + 200 + i} for i in range(A.safekeepers)], "new_members": None}
                for i in range(A.safekeepers):
                    sk_create(i, {"tenant_id": m[1], "timeline_id": tl, "start_lsn": s["last_record_lsn"], "pg_version": v * 10000, "mconf": conf})
                sk_rows.setdefault((m[1], tl), [i + 1 for i in range(A.safekeepers)])
            return 201, timeline(zero, tl, s)
        return pageserver(method, path.replace(m[1], zero, 1), b)
    if path in ("/status", "/ready", "/live"): return 200, None
    raise Refuse(404, None)


def pageserver(method, path, b):
    if path == "/v1/status": return 200, {"id": 1}
    m = re.fullmatch(f"/v1/tenant/({SHARD})(/.*)?", path)
    if not m: raise Refuse(404, None)
    n, rest = m[1], m[2] or ""
    if rest == "/location_config" and method == "PUT":
        if b["mode"] == "Detached":
            attached.pop(n, None)
            return 200, None
        attach(n, b["generation"])  # a generation below the files': an empty tenant, and 200
        return 200, {"shards": [{"shard_id": n, "node_id": 1}], "stripe_size": attached[n]["stripe"] if len(n) > 32 else None}
    if rest == "/reset" and method == "POST":
        if n not in attached: raise Refuse(500, "Tenant not found when trying to reset")
        made = {t: s for t, s in attached[n]["timelines"].items() if [n[:32], t] in initdb}
        attach(n, attached[n]["generation"]); attached[n]["timelines"].update(made)
        return 200, None
    if n not in attached: raise Refuse(404, f"NotFound: tenant {n}")
    a = attached[n]
    if rest == "":
        return 200, {"id": n, "state": {"slug": "Active"}, "current_physical_size": 0, "attachment_status": {"slug": "attached"}, "generation": a["generation"], "timelines": sorted(a["timelines"])}
    if rest == "/timeline": return 200, [timeline(n, t, s) for t, s in sorted(a["timelines"].items())]
    if (t := re.fullmatch(f"/timeline/({HEX})", rest)):
        if t[1] not in a["timelines"]: raise Refuse(404, f"NotFound: Timeline {n}/{t[1]} was not found")
        return 200, timeline(n, t[1], a["timelines"][t[1]])
    raise Refuse(404, None)


def safekeeper(i, method, path, b):
    if path == "/v1/status": return 200, {"id": i + 1}
    if path == "/v1/tenant/timeline":
        if method == "GET": return 200, [{"tenant_id": t, "timeline_id": l} for t, l in sorted(safekeepers[i])]
        if not 140000 <= b["pg_version"] < 180000 or b.get("wal_seg_size") not in (None, 16777216) or not b["mconf"]["members"]: raise Refuse(500, "refused by the stand-in: not a form that was tried")
        sk_create(i, b)
        return 200, None
    m = re.fullmatch(f"/v1/tenant/({HEX})/timeline/({HEX})", path)
    if m and method == "GET":
        s = safekeepers[i].get((m[1], m[2]))
        if not s: raise Refuse(404, f"NotFound: timeline {m[1]}/{m[2]} not found")
        return 200, {"tenant_id": m[1], "timeline_id": m[2], "mconf": s["mconf"], "acceptor_state": {"term": 0, "epoch": 0, "term_history": [{"term": 0, "lsn": s["start"]}]},
                     "pg_info": {"pg_version": s["pg_version"], "system_id": s["system_id"], "wal_seg_size": 16777216}, "flush_lsn": s["start"], "timeline_start_lsn": s["start"],
                     "local_start_lsn": s["start"], "commit_lsn": s["start"], "backup_lsn": s["start"], "remote_consistent_lsn": "0/0"}
    raise Refuse(404, None)


def serve_call(off, method, path, body):
    return controller(method, path, body) if off == 0 else pageserver(method, path, body) if off == 1 else safekeeper(off - 2, method, path, body)


def serve_late(*call):
    with LOCK: serve_call(*call)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        off = self.server.server_address[1] - A.port
        n = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(n) if n else b""
        path = self.path.split("?")[0]
        how = None
        with LOCK:
            try:
                body = json.loads(raw) if raw else {}
                if path == "/standin":
                    if self.command == "POST": fails.extend(body.get("fail", []))
                    return self.answer(200, {"calls": log, "initdb": initdb})
                if A.token:
                    h = self.headers.get("Authorization")
                    if not h: raise Refuse(401, "Unauthorized: missing authorization header")
                    if h != "Bearer " + A.token: raise Refuse(403, "Forbidden: JWT authentication error")
                for f in fails:
                    if f[0] == self.command and path.startswith(f[1]):
                        how = f[2]; fails.remove(f); break
                if isinstance(how, int): raise Refuse(how, "made to fail")
                if how == "late":
                    threading.Timer(1, serve_late, (off, self.command, path, body)).start()
                    status, out, how = 0, None, "drop"
                else: status, out = serve_call(off, self.command, path, body)
                if how == "loading": out = {**out, "state": {"slug": "Loading"}, "timelines": []}
            except Refuse as r:
                status, out = r.status, None if r.msg is None else {"msg": r.msg}
            except (ValueError, KeyError, TypeError) as e:
                status, out = 400, {"msg": f'"Failed to parse json request: {e}"'}
            log.append([self.command, off, self.path, raw.decode(errors="replace"), status])
        if how == "hang": time.sleep(3600)
        self.answer(status, out, how)

    def answer(self, status, out, how=None):
        self.close_connection = how in ("cut", "drop")
        if how == "drop": return
        data = b"Not Found" if status == 404 and out is None else json.dumps(out).encode()
        self.send_response(status); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(data))); self.end_headers()
        self.wfile.write(data[:len(data) // 2] if how == "cut" else data)

    do_GET = do_POST = do_PUT = do_DELETE = serve

    def log_message(self, *a):
        pass


for off in range(2 + A.safekeepers):
    threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", A.port + off), Handler).serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
