import Operations
import Testing

@testable import Pipeline
@testable import System
@testable import import_backup

/// Goal: every form of an option sets its own field, and nothing else.
struct OptionParserTests {
  /// The import command that `arguments` and variables are parsed to.
  private func parsed(
    _ arguments: String..., environment: [String: String] = [:]
  ) throws -> ImportCommand {
    let outcome = try OptionParser.parse(
      ImportCommand.self, arguments: arguments, environment: { environment[$0] })
    guard case .run(let command) = outcome else {
      throw Failure(.bug, "\(arguments) is not an import")
    }
    return command
  }

  /// Method: compare the shortest valid command line with the defaults of `ImportOptions`.
  @Test func theDefaultsAreThoseOfTheLibrary() throws {
    let command = try parsed("backup.tar", "--output", "out")
    let expected = ImportOptions(backup: "backup.tar", outputDirectory: "out")
    #expect(String(describing: command.settings) == String(describing: expected))
    #expect(!command.printsJSON && !command.reporting.isQuiet)
  }

  /// Method: all options at once, each with a value that no other has.
  @Test func everyOptionSetsItsOwnField() throws {
    let command = try parsed(
      "--tenant-id", "00112233445566778899AABBCCDDEEFF",
      "--timeline-id", "ffeeddccbbaa99887766554433221100", "--generation", "4294967295",
      "--force", "--strip-components", "3", "--compression-level", "19",
      "--image-layer-size", "5M", "--chunk-size", "7m", "--small-relation-size", "8192",
      "--jobs", "9", "--memory", "1G", "--json", "--quiet", "--output", "out", "backup.tar")
    var expected = ImportOptions(backup: "backup.tar", outputDirectory: "out")
    expected.tenantID = "00112233445566778899aabbccddeeff"
    expected.timelineID = "ffeeddccbbaa99887766554433221100"
    expected.generation = .max
    expected.force = true
    expected.stripComponents = 3
    expected.compressionLevel = 19
    expected.imageLayerSize = 5 << 20
    expected.chunkSize = 7 << 20
    expected.smallRelationSize = 8192
    expected.jobs = 9
    expected.memory = 1 << 30
    #expect(String(describing: command.settings) == String(describing: expected))
    #expect(command.printsJSON && command.reporting.isQuiet)
  }

  /// Method: the same three settings in the forms that getopt_long knows.
  @Test(arguments: [
    ["-o", "out", "-f", "-j", "2", "backup.tar"],
    ["-oout", "-fj2", "backup.tar"],
    ["backup.tar", "--output=out", "--force", "--jobs=2"],
    ["--output", "out", "--fo", "backup.tar", "--jo", "2"],
    ["-j", "7", "-f", "-j", "2", "-o", "gone", "-o", "out", "--", "backup.tar"],
  ])
  func formsOfOptions(arguments: [String]) throws {
    guard case .run(let command) = try OptionParser.parse(ImportCommand.self, arguments: arguments)
    else { throw Failure(.bug, "no import") }
    #expect(command.settings.backup == "backup.tar")
    #expect(command.settings.outputDirectory == "out")
    #expect(command.settings.force)
    #expect(command.settings.jobs == 2)
  }

  /// Method: a backup with the name of an option, after `--`, and `-` for standard input.
  @Test func operandsThatBeginWithAHyphen() throws {
    #expect(try parsed("-o", "out", "--", "--json").settings.backup == "--json")
    #expect(try parsed("-", "-o", "out").settings.backup == "-")
  }

  /// Method: options for help and version, followed by an unknown option.
  @Test func helpEndsTheParsing() throws {
    for word in ["--help", "-h", "--version", "-V"] {
      let outcome = try OptionParser.parse(ImportCommand.self, arguments: [word, "--nonsense"])
      switch outcome {
      case .run: Issue.record("\(word) does not end the parsing")
      case .help: #expect(word.contains("h"))
      case .version: #expect(word.lowercased().contains("v"))
      }
    }
  }

  /// Method: each variable alone, with the option that counts instead, and empty; a scratch
  /// directory from a variable needs no recovery.
  @Test func variables() throws {
    let variables = [
      "IMPORT_BACKUP_OUTPUT": "out", "IMPORT_BACKUP_MEMORY": "100M",
      "IMPORT_BACKUP_SCRATCH": "scratch",
    ]
    let command = try parsed("a", environment: variables)
    #expect(command.settings.outputDirectory == "out")
    #expect(command.settings.memory == 100 << 20)
    #expect(command.settings.recovery == nil)
    let recovering = try parsed("a", "--recover-with", "bin", environment: variables)
    #expect(recovering.settings.recovery?.scratchParent == "scratch")
    let given = try parsed(
      "a", "-o", "x", "--memory", "64M", "--recover-with", "bin", "--scratch", "y",
      environment: variables.mapValues { _ in "s3://wrong" })
    #expect(given.settings.outputDirectory == "x")
    #expect(given.settings.memory == 64 << 20)
    #expect(given.settings.recovery?.scratchParent == "y")
    let empty = try parsed("a", "-o", "x", environment: variables.mapValues { _ in "" })
    #expect(empty.settings.memory == ImportOptions(backup: "", outputDirectory: "").memory)
  }

  /// Method: wrong values of variables: the message names the variable.
  @Test(arguments: [
    ("IMPORT_BACKUP_MEMORY", "5", "must be a size from 16M to 1024G, not '5'"),
    ("IMPORT_BACKUP_MEMORY", "much", "must be a size in bytes, or end in K, M, G or T, not 'much'"),
    ("IMPORT_BACKUP_OUTPUT", "az://b/p", "must be a path, not the URL 'az://b/p'"),
    ("IMPORT_BACKUP_SCRATCH", "nfs://b", "must be a path, not the URL 'nfs://b'"),
  ])
  func wrongVariables(name: String, value: String, message: String) {
    let error = #expect(throws: Failure.self) {
      var variables = ["IMPORT_BACKUP_OUTPUT": "out"]
      variables[name] = value
      _ = try parsed("a", environment: variables)
    }
    #expect(error?.message == "variable '\(name)' \(message)")
  }

  /// Goal: a URL is not taken for a path. Method: one for every operand and every option that takes
  /// a path, of every command; and paths that only look a little like it. Timelines may be in an object
  /// store, but in no other one.
  @Test func urls() throws {
    func message<C: Command>(_ type: C.Type, _ arguments: [String]) -> String? {
      do throws(Failure) {
        _ = try OptionParser.parse(type, arguments: arguments, environment: { _ in nil })
        return nil
      } catch {
        #expect(error.hint != nil)
        return error.message
      }
    }
    for command in Program.commands where command.operandsArePaths {
      for url in ["s3://b/p", "gs://b/p", "az://b/p", "https://b/p"] {
        let isAllowed = url == "s3://b/p" && command.operandsMayBeStored
        let isRefused = message(command, [url]) == "'\(url)' is a URL, not a path"
        #expect(isRefused == !isAllowed)
      }
      for option in command.describedOptions where option.takesPath {
        #expect(
          message(command, ["a", "--\(option.name)", "https://b/p"])
            == "option '--\(option.name)' must be a path, not the URL 'https://b/p'")
      }
    }
    let paths = ImportCommand.describedOptions.filter(\.takesPath).map(\.name)
    #expect(Set(paths).isSuperset(of: ["output", "manifest", "scratch", "wal", "recover-with"]))
    for path in ["./s3://b", "s3:/b", "1s://b", "a b://c", "://", "gs:", "a/b://c", "-"] {
      #expect(URLScheme(of: path) == nil, "\(path)")
    }
    for (url, name) in [("S3://B", "s3"), ("file:///b", "file"), ("svn+ssh://x", "svn+ssh")] {
      #expect(URLScheme(of: url)?.name == name)
    }
  }

  /// Method: wrong command lines, each with the whole message and what its hint begins with.
  @Test(arguments: [
    ([], "no backup given", "For example: "),
    ([""], "no backup given", "For example: "),
    (
      ["a"], "option '--output' is required: the directory or s3://BUCKET to write the timeline to",
      "It may also be given as the variable IMPORT_BACKUP_OUTPUT. "
    ),
    (
      ["a", "-o", ""],
      "option '--output' is required: the directory or s3://BUCKET to write the timeline to", ""
    ),
    (["a", "-o", "x", "-"], "unexpected argument '-'", "Standard input"),
    (["a", "-o"], "option '--output' needs a value: DIR", "See "),
    (["a", "--output"], "option '--output' needs a value: DIR", "See "),
    (["a", "-o", "x", "--manifest="], "option '--manifest' needs a value: FILE", "See "),
    (
      ["a", "-o", "x", "--only-shards", "0", "--shards", "2"],
      "'--only-shards' requires '--tenant-id', '--timeline-id'", "All imports of one tenant "
    ),
    (["a", "-o", "x", "--wal", "w"], "'--wal' requires '--recover-with'", "Give the directory "),
    (["a", "--force=yes"], "option '--force' takes no value", "See "),
    (["a", "--outptu", "x"], "unknown option '--outptu'", "Did you mean '--output'? "),
    (["a", "--tenantid=12"], "unknown option '--tenantid'", "Did you mean '--tenant-id'? "),
    (["a", "--frobnicate"], "unknown option '--frobnicate'", "See "),
    (["a", "--against", "b"], "unknown option '--against'", "It is an option of 'verify'. "),
    (
      ["a", "--pageserver=b"], "unknown option '--pageserver'",
      "It is an option of 'attach' or 'status'. "
    ),
    (["a", "-fx"], "unknown option '-x'", "See "),
    (["a", "-é"], "unknown option '-é'", "See "),
    (
      ["a", "--ti", "--t", "x"], "option '--timeline-id' must be 32 hexadecimal digits, not '--t'",
      "See "
    ),
    (["a", "--token", "secret"], "unknown option '--token'", "Others can see "),
    (["a", "--token=secret"], "unknown option '--token'", "Others can see "),
    (["a", "--token"], "unknown option '--token'", "Others can see "),
    (["a", "--toke", "secret"], "unknown option '--toke'", "Others can see "),
    (
      ["a", "--t", "x"], "option '--t' is ambiguous",
      "It could be '--tenant-id', '--timeline-id', '--trust-backup', '--tablespace' or '--token-file'. "
    ),
  ])
  func refusals(arguments: [String], message: String, hint: String) {
    let error = #expect(throws: Failure.self) {
      try OptionParser.parse(ImportCommand.self, arguments: arguments)
    }
    #expect(error?.exitCode == .usage)
    #expect(error?.message == message)
    #expect(error?.hint?.contains("secret") != true)
    for (command, pointer) in [
      (ImportCommand.self, "See 'import-backup --help'."),
      (VerifyCommand.self, "See 'import-backup verify --help'."),
    ] as [(any Command.Type, String)] {
      let pointing = error?.pointing(toHelpOf: command)
      #expect(pointing?.hint?.hasPrefix(hint) == true)
      #expect(pointing?.hint?.hasSuffix(pointer) == true)
    }
  }
}
