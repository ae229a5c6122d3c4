import ObjectStore
import Operations
import PostgresFormat
import Service
import System

/// How a command is to call the service: what was given, before it is read.
struct ServiceArguments: Sendable {
  /// The file of `--token-file`; nil for the variable's token, if there is one.
  var tokenFile: String?
  /// How the service is called, but for the token.
  var options = ServiceOptions()

  /// The variable that a token may be in.
  static let tokenVariable = "IMPORT_BACKUP_TOKEN"
  /// Longer files are no tokens.
  private static let tokenLimit = 64 << 10

  /// The options with the token, which is read here.
  func withToken() throws(Failure) -> ServiceOptions {
    var options = options
    if let tokenFile {
      let bytes = try Failure.ofGivenPath(hint: "Give a readable file with '--token-file'.") {
        () throws(Failure) in
        try SystemCalls.contents(of: tokenFile, limit: Self.tokenLimit, followsLink: true)
      }
      options.token = try .init(String(decoding: bytes, as: UTF8.self), from: .file(tokenFile))
    } else if let text = Environment[Self.tokenVariable], !text.isEmpty {
      options.token = try .init(text, from: .variable(Self.tokenVariable))
    }
    // A crash must not write it to a disk.
    if options.token != nil { SystemCalls.forbidCoreDumps() }
    return options
  }
}

extension ServiceOptions {
  /// The times that are not the usual ones, as words of a command.
  var words: [String] {
    let usual = ServiceOptions()
    return (patience == usual.patience ? [] : ["--wait", "\(patience.components.seconds)"])
      + (callSeconds == usual.callSeconds ? [] : ["--call-timeout", "\(callSeconds)"])
  }
}

/// A command that calls the service.
protocol ServiceCommand: Command {
  var service: ServiceArguments { get set }
}

extension CommandOption where C: ServiceCommand {
  /// `--token-file`.
  static var tokenFile: CommandOption {
    CommandOption(
      "token-file", value: "FILE",
      refused: (
        "token",
        "Others can see the words of a command. Give the file that the token is in with '--token-file', "
          + "or the token in the variable \(ServiceArguments.tokenVariable)."
      ),
      help: "file with a bearer token for the service (default: the token in IMPORT_BACKUP_TOKEN)"
    ) { command, value throws(Failure) in
      command.service.tokenFile = try value.nonEmpty(placeholder: "FILE")
    }
  }

  /// `--ca-bundle`, for the service, and for an object store if the command reads one.
  static var serviceCABundle: CommandOption { .caBundle(\.service.options.caBundle) }

  /// `--wait`.
  static var wait: CommandOption {
    CommandOption(
      "wait", value: "SECONDS",
      help: "how long to wait for each thing that the service has to do (default: 60)"
    ) { command, value throws(Failure) in
      command.service.options.patience = .seconds(try value.integer(in: 0...86_400))
    }
  }

  /// `--call-timeout`.
  static var callTimeout: CommandOption {
    CommandOption(
      "call-timeout", value: "SECONDS", help: "how long one call may take (default: 30)"
    ) { command, value throws(Failure) in
      command.service.options.callTimeout = .seconds(try value.integer(in: 1...3600))
    }
  }
}

/// A command about a tenant in the files and in the service.
protocol TenantCommand: ServiceCommand, StoreCommand {
  var tenant: TenantArguments { get set }
}

/// Which tenant, and which servers: what was given.
struct TenantArguments: Sendable {
  /// The tenant or the timeline in the files.
  var place = ""
  /// How an object store is reached that it is in.
  var store = StoreOptions()
  /// The storage controller.
  var controller: ServiceURL?
  /// The pageserver, for want of a controller.
  var pageserver: ServiceURL?
  /// The safekeepers of that.
  var safekeepers: [SafekeeperAddress] = []
  /// What to attach at.
  var generation: UInt32?
}

extension TenantArguments {
  /// Throws `.usage` if two safekeepers have one address for WAL: they are told of each other by it.
  fileprivate func requireDifferentSafekeepers() throws(Failure) {
    for (index, address) in safekeepers.enumerated() {
      let isTaken = safekeepers[..<index].contains {
        $0.url.host == address.url.host && $0.port == address.port
      }
      guard isTaken else { continue }
      throw Failure(
        .badOption,
        "two safekeepers have the same address for WAL, '\(address.url.host):\(address.port)'",
        hint: "Give each once, with its port for WAL: '--safekeeper URL,PORT'.")
    }
  }
}

extension TenantCommand {
  var store: StoreOptions {
    get { tenant.store }
    set { tenant.store = newValue }
  }

  /// What the help says of servers.
  static var serviceDiscussion: String {
    """
    With a storage controller, give its URL with --controller; it knows pageservers and safekeepers. \
    Without one, give --pageserver, and --safekeeper for each safekeeper. Calls go by plain HTTP only \
    if the URL begins with http://. All servers get the same token, if there is one.
    """
  }

  /// Takes the operand, and checks that the servers are known.
  mutating func readTenant(_ operands: [String]) throws(Failure) {
    tenant.place = try Operands.single(
      operands, missing: "no timeline given",
      hint: "For example: import-backup \(Self.name) storage/tenants/TENANT/timelines/TIMELINE "
        + "--controller http://HOST:1234.")
    try requireUse(ofStoreOptionsFor: tenant.place)
    try tenant.requireDifferentSafekeepers()
    if tenant.controller != nil {
      let lonely: [(String, Bool)] = [
        ("pageserver", tenant.pageserver != nil), ("safekeeper", !tenant.safekeepers.isEmpty),
        ("attach-generation", tenant.generation != nil),
      ]
      if let other = lonely.first(where: \.1) {
        throw Failure(
          .conflictingOptions, "'--\(other.0)' cannot be used with '--controller'",
          hint: "A controller chooses servers and generations itself.")
      }
    } else if tenant.pageserver == nil {
      throw Failure(
        .missingArgument, "no server given: '--controller' or '--pageserver' is required",
        hint: "Give the URL of the storage controller, or of a pageserver.")
    }
  }

  /// What the library is told, with the token.
  func attachOptions() throws(Failure) -> AttachOptions {
    let target: AttachOptions.Target =
      if let controller = tenant.controller {
        .controller(controller)
      } else if let pageserver = tenant.pageserver {
        .pageserver(pageserver, tenant.safekeepers, generation: tenant.generation)
      } else {
        preconditionFailure("`readTenant` has checked it")
      }
    var options = AttachOptions(place: tenant.place, target: target)
    options.store = tenant.store
    options.service = try service.withToken()
    // The certificates are for all servers.
    options.store.caBundle = options.service.caBundle
    return options
  }
}

extension CommandOption where C: TenantCommand {
  /// `--controller`.
  static var controller: CommandOption {
    CommandOption("controller", value: "URL", help: "URL of the storage controller") {
      command, value throws(Failure) in
      command.tenant.controller = try ServiceURL(try value.nonEmpty(placeholder: "URL"))
    }
  }

  /// `--pageserver`.
  static var pageserver: CommandOption {
    CommandOption(
      "pageserver", value: "URL",
      help: "URL of a pageserver's HTTP interface, if there is no storage controller"
    ) { command, value throws(Failure) in
      command.tenant.pageserver = try ServiceURL(try value.nonEmpty(placeholder: "URL"))
    }
  }

  /// `--safekeeper`.
  static var safekeeper: CommandOption {
    CommandOption(
      "safekeeper", value: "URL[,PORT]",
      help: """
        URL of a safekeeper's HTTP interface, and its port for WAL (default: \
        \(SafekeeperAddress.usualPort)); once for each safekeeper
        """
    ) { command, value throws(Failure) in
      command.tenant.safekeepers.append(
        try SafekeeperAddress(try value.nonEmpty(placeholder: "URL[,PORT]")))
    }
  }
}
