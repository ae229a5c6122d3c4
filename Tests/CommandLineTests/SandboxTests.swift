import Foundation
import Operations
import System
import TestSupport
import Testing

/// What runs in the recovery's sandbox can do nothing outside it. Method: a script in the place of
/// `postgres` tries it, and writes what it found into the copy, which is kept.
@Suite(.enabled(if: Sandboxing.works, "this machine allows no sandbox"))
struct SandboxTests {
  /// Who runs the import.
  enum Caller: String, CaseIterable, CustomTestStringConvertible {
    case root, user

    var testDescription: String { rawValue }

    /// A user cannot become root.
    static var possible: [Self] { geteuid() == 0 ? allCases : [.user] }
  }

  /// Imports with a server that runs `script`, and gives what it wrote to `report`.
  private static func report(
    of script: String, in directory: TemporaryDirectory, as caller: Caller, before: String = ""
  ) async throws -> (text: String, run: ProgramRun) {
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    try write(
      """
      #!/bin/bash
      [[ $1 != --version ]] || { echo 'postgres (PostgreSQL) 15.3'; exit; }
      exec > /recovery/data/report 2>&1
      \(script)
      """, toProgramIn: directory.path + "/bin")
    let drop =
      caller == .user && geteuid() == 0
      ? "chown -R nobody .; drop=(setpriv --reuid nobody --regid nogroup --clear-groups)"
      : "drop=()"
    let run = try await ProgramRun.run(
      [
        "backup.tar", "--output", "out", "--recover-with", "bin", "--keep-scratch",
      ], script: "\(drop)\n\(before)\n" + #""${drop[@]}" "$@""#, directory: directory.path)
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    let scratch = try #require(
      names.first { $0.hasPrefix("import-backup-recovery-") }, "\(run.error)")
    let report = try Data(contentsOf: URL(filePath: directory.path + "/\(scratch)/data/report"))
    return (String(decoding: report, as: UTF8.self), run)
  }

  /// Goal: no privileges, no secrets, no open files, no other processes, no network, no terminal.
  @Test(arguments: Caller.possible) func surroundings(caller: Caller) async throws {
    let directory = try TemporaryDirectory()
    let (text, _) = try await Self.report(
      of: #"""
        grep -E '^(CapEff|CapPrm|CapInh|CapBnd|NoNewPrivs)' /proc/self/status | tr '\t' ' '
        echo "uid $(id -u)"
        echo "variables $(env | cut -d= -f1 | sort | xargs)"
        (cd /proc/$$/fd; echo files *)  # not in a pipe, of which bash has both ends for a moment
        echo "processes $(cd /proc; ls -d [0-9]* | wc -l)"
        echo "networks $(tail -n +3 /proc/net/dev | cut -d: -f1 | xargs)"
        (: < /dev/tty) 2> /dev/null && echo 'has a terminal'
        echo "top $(cd /; echo *)"
        echo "recovery $(cd /recovery; echo *)"
        echo "home $(ls -d /home /root /etc/shadow /var "$(dirname "$0")"/../* 2> /dev/null)"
        """#, in: directory, as: caller,
      before:
        "export PGPASSWORD=secret AWS_SECRET_ACCESS_KEY=secret LANG=C TZ=UTC; exec 9< backup.tar")
    let lines = Set(text.split(separator: "\n").map(String.init))
    for name in ["CapEff", "CapPrm", "CapInh", "CapBnd"] {
      #expect(lines.contains("\(name): 0000000000000000"), "\(text)")
    }
    #expect(lines.contains("NoNewPrivs: 1"), "\(text)")
    #expect(!lines.contains("uid 0"), "\(text)")
    #expect(lines.contains("variables LANG PATH PWD SHLVL TZ _"), "\(text)")
    #expect(lines.contains("files 0 1 2 255"), "\(text)")  // 255 is bash's
    #expect(lines.contains("networks lo"), "\(text)")
    #expect(!lines.contains("has a terminal"), "\(text)")
    #expect(lines.contains("recovery channel data tablespaces"), "\(text)")
    #expect(lines.contains("home \(directory.path)/bin/../bin"), "\(text)")
    let count = try #require(lines.first { $0.hasPrefix("processes ") })
    #expect(Int(count.dropFirst(10)) ?? 99 < 9, "\(text)")
  }

  /// Goal: nothing outside the copy is changed or removed, and what the server starts ends with it.
  @Test(arguments: Caller.possible) func actions(caller: Caller) async throws {
    // The sandbox has a /dev/shm of its own: what is in the real one would be safe for another reason.
    let directory = try TemporaryDirectory(onDisk: true)
    let mark = "98\(UInt32.random(in: 100_000...999_999))"
    let (text, run) = try await Self.report(
      of: """
        touch /usr/x /dev/x /dev/shm/x /tmp/x /recovery/x /etc/passwd.new '\(directory.path)/x' ||
          echo refused
        rm -rf '\(directory.path)/kept' /usr/bin/env
        echo x > /proc/sys/kernel/core_pattern
        ipcmk -M 4096
        setsid sleep \(mark) & disown
        ln -s '\(directory.path)/kept' /recovery/data/base/link
        ln -sfn '\(directory.path)/kept' /recovery/data/pg_wal/link
        for ((i = 0; i < 3; i++)); do kill -KILL -1; done
        echo ended
        """, in: directory, as: caller, before: "mkdir kept; echo 1 > kept/file; ipcs -m > segments"
    )
    #expect(text.contains("refused"))
    #expect(run.exitCode == 65, "\(run.error)")
    #expect(try String(contentsOfFile: directory.path + "/kept/file", encoding: .utf8) == "1\n")
    #expect(FileManager.default.isExecutableFile(atPath: "/usr/bin/env"))
    #expect(!FileManager.default.fileExists(atPath: directory.path + "/x"))
    let after = try Shell.output(
      "sh", "-c",
      "ipcs -m | diff - segments; grep -als \(mark) /proc/[0-9]*/cmdline | grep -v /self/ || true",
      directory: directory.path)
    let own = String(decoding: after, as: UTF8.self).split(separator: "\n").filter { line in
      (try? String(contentsOfFile: String(line), encoding: .utf8))?.hasPrefix("sleep") == true
    }
    #expect(own == [])
  }

  /// Goal: a backup whose catalogs run a program gets nowhere. Method: a real cluster in which a
  /// view over a function takes the place of `pg_tablespace`; the function starts a program.
  @Test(.enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"))
  func hostileCatalog() async throws {
    let programs = try #require(PostgresServer.programs)
    let server = try PostgresServer(newWith: programs, settings: "allow_system_table_mods = on")
    let directory = server.directory.path
    try PostgresServer.shell(
      "mkdir one open; chmod 777 open; [[ $(id -u) != 0 ]] || chown nobody one", [], directory)
    try server.start()
    _ = try server.query("CREATE TABLESPACE one LOCATION '\(directory)/one'")
    for database in ["template1", "postgres"] {
      for statement in [
        "CREATE TABLE t TABLESPACE one AS SELECT 1",
        """
        CREATE FUNCTION public.run() RETURNS oid LANGUAGE plpgsql AS $$
          BEGIN
            COPY (SELECT 1) TO PROGRAM
              'touch \(directory)/open/written; touch /recovery/data/ran; setsid sleep 1000 &';
            RETURN 1663;
          END $$
        """,
        "ALTER TABLE pg_catalog.pg_tablespace RENAME TO pg_tablespace_before",
        """
        CREATE VIEW pg_catalog.pg_tablespace AS
          SELECT public.run() AS oid, spcname FROM pg_catalog.pg_tablespace_before
        """,
      ] {
        _ = try server.query(statement, database: database)
      }
    }
    try server.stop()
    let output = try TemporaryDirectory()
    let run = try await ProgramRun.run([
      server.data, "--output", output.path + "/out", "--recover-with", programs, "--keep-scratch",
    ])
    let names = try FileManager.default.contentsOfDirectory(atPath: output.path)
    let scratch = try #require(
      names.first { $0.hasPrefix("import-backup-recovery-") }, "\(run.error)")
    #expect(
      FileManager.default.fileExists(atPath: output.path + "/\(scratch)/data/ran"),
      "the program was not started, so that nothing was tried: \(run.error)")
    #expect(!FileManager.default.fileExists(atPath: directory + "/open/written"))
  }

  /// Goal: a whole recovery opens nothing for writing, and changes no name, but in the scratch and
  /// the output, and connects to nothing. Method: strace, from the import to its last child.
  @Test(
    .enabled(if: PostgresServer.programs != nil, "Postgres 15 is not installed"),
    .enabled(if: Shell.canTrace, "strace is not allowed here"))
  func placesWritten() async throws {
    let programs = try #require(PostgresServer.programs)
    let directory = try TemporaryDirectory()
    let calls =
      "open,openat,openat2,creat,connect,bind,sendto,mkdir,mkdirat,unlink,unlinkat,rename,"
      + "renameat,renameat2,symlink,symlinkat,link,linkat,truncate,mknod,mknodat,chmod,fchmodat,"
      + "chown,lchown,fchownat"
    let run = try await ProgramRun.run(
      [Fixture.path("online-15"), "--output", "out", "--recover-with", programs, "--quiet"],
      script: #"strace -f -y -o trace -e trace=\#(calls) "$@""#,
      // The address sanitizer would search for leaks with ptrace, which strace uses.
      environment: ["ASAN_OPTIONS": "detect_leaks=0"], directory: directory.path)
    try #require(run.exitCode == 0, "\(run.error)")
    let inside = [
      directory.path + "/out", directory.path + "/import-backup-recovery-", "/recovery/",
      // What bwrap makes the sandbox's root of, in a file system of its own.
      "/newroot/", "/oldroot/", "/dev/null", "/proc/self/",
    ]
    var count = 0
    let trace = try String(contentsOfFile: directory.path + "/trace", encoding: .utf8)
    for line in trace.split(separator: "\n") {
      guard let call = line.firstMatch(of: /^[0-9]+ +([a-z0-9]+)\(/)?.1,
        line.contains(/\) += [0-9]/)
      else { continue }
      switch call {
      case "connect": Issue.record("\(line)")
      // How bwrap sets up the loopback of the sandbox's own network.
      case "bind", "sendto": #expect(line.contains("AF_NETLINK"), "\(line)")
      case "open", "openat", "openat2", "creat":
        guard line.contains(/O_WRONLY|O_RDWR|O_CREAT/) || call == "creat" else { continue }
        // `= 5</path>`: where the open file is
        let path = line.firstMatch(of: /= [0-9]+<([^>]*)>/)?.1 ?? ""
        // How bwrap says which users a sandbox has, if root does not make it.
        if path.contains(/^\/proc\/[0-9]+\/(uid_map|gid_map|setgroups)$/) { continue }
        #expect(inside.contains { path.hasPrefix($0) }, "\(line)")
        count += 1
      default:
        // Relative ones are in the directory of the test, of the copy, or of the root being made.
        for match in line.matches(of: /"(\/[^"]*)"/) where !line.contains("symlink") {
          #expect(inside.contains { match.1.hasPrefix($0) }, "\(line)")
        }
        #expect(!line.contains("\"../"), "\(line)")
        count += 1
      }
    }
    #expect(count > 1000)
  }

  /// Goal: a server that does nothing is ended, and one that waits for the user's command is not.
  /// Method: a server that sleeps, or asks for WAL that a slow command does not have; nearly no time
  /// to do it in.
  @Test(arguments: [false, true]) func idle(asksForLog: Bool) async throws {
    let directory = try TemporaryDirectory()
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    try Self.write(
      """
      #!/bin/bash
      [[ $1 != --version ]] || { echo 'postgres (PostgreSQL) 15.3'; exit; }
      \(asksForLog ? "" : "exec sleep 1000")
      echo 00000002.history 000000010000000000000001 > /recovery/channel/requests
      read -r answer < /recovery/channel/answers; echo "answer $answer" >&2; exit 1
      """, toProgramIn: directory.path + "/bin")
    var options = ImportOptions(
      backup: directory.path + "/backup.tar", outputDirectory: directory.path + "/out")
    options.recovery = RecoveryOptions(programs: directory.path + "/bin")
    options.recovery?.idleLimit = .seconds(5)
    if asksForLog { options.recovery?.restoreCommand = "sleep 7; exit 1" }
    var failure: Failure?
    do throws(Failure) { _ = try importBackup(options, progress: nil) } catch { failure = error }
    #expect(failure?.code == .recoveryFailed)
    let message = failure?.message ?? ""
    if asksForLog {
      #expect(message.contains("answer -"), "\(message)")
    } else {
      #expect(message.hasPrefix("Postgres did nothing for 5 seconds at LSN 0/"), "\(message)")
      #expect(failure?.hint?.contains("'--scratch'") == true)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["backup.tar", "bin"])
  }

  /// Goal: without a sandbox no program of the backup's is started, and nothing is left. Method: the
  /// program runs where no file systems of one's own can be made.
  @Test func refused() async throws {
    let directory = try TemporaryDirectory()
    try Data(SmallBackup.tiny.encoded()).write(to: URL(filePath: directory.path + "/backup.tar"))
    try Self.write("#!/bin/sh\ntouch started\n", toProgramIn: directory.path + "/bin")
    let run = try await ProgramRun.run(
      ["backup.tar", "--output", "out", "--recover-with", "bin"],
      script: """
        unshare --user --map-root-user bash -c \
          'echo 0 > /proc/sys/user/max_mnt_namespaces; exec "$@"' bash "$@"
        """, directory: directory.path)
    #expect(run.exitCode == 69, "\(run.error)")
    #expect(run.error.contains("cannot make a sandbox"), "\(run.error)")
    #expect(run.error.contains("[sandbox-unavailable]"), "\(run.error)")
    #expect(run.error.contains("'--trust-backup'"), "\(run.error)")
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.path)
    #expect(names.sorted() == ["backup.tar", "bin"])
  }

  /// Writes a script that is called `postgres`; by a process of its own, for one that another test
  /// starts meanwhile would keep the file open.
  private static func write(_ script: String, toProgramIn directory: String) throws {
    _ = try Shell.output(
      "sh", "-c", #"mkdir "$2"; printf '%s' "$1" > "$2/postgres"; chmod 755 "$2/postgres""#, "sh",
      script, directory)
  }
}
