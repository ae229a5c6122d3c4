import LayerFormat
import PostgresFormat
import Service
import System

/// Takes a tenant's timelines into service: attached, active, and on safekeepers.
///
/// Every step looks first, does what is missing, and looks again, so that it does not matter what an
/// earlier run has done, or where one ended. Nothing is ever detached or deleted. The calls that are
/// dangerous out of order come last: safekeepers get a timeline only after the pageserver has shown it
/// with the LSNs and the version of the files, as it would be made new and empty otherwise.
///
/// The summary says what is in place, also if it ends with a failure. Throws what comes before the
/// first call: files that cannot be read, or options that cannot be right. Only indexes are read.
public func attachTenant(
  _ options: AttachOptions
) throws(Failure) -> (summary: AttachSummary, failure: Failure?) {
  let start = ContinuousClock.now
  let files = try TenantFiles(options.place, options.store)
  var attachment = Attachment(files, options)
  try attachment.checkGeneration()
  var failure: Failure?
  do throws(Failure) {
    try attachment.run()
  } catch {
    failure = attachment.explained(error)
  }
  var summary = attachment.summary
  summary.seconds = (ContinuousClock.now - start) / .seconds(1)
  return (summary, failure)
}

/// One run of `attach`.
struct Attachment {
  var summary: AttachSummary
  var view: ServiceView
  let options: AttachOptions
  var files: TenantFiles { view.files }
  /// Whether this run had the controller attach the tenant: what its pageservers have read is then no
  /// older than the files.
  var hasImported = false

  init(_ files: TenantFiles, _ options: AttachOptions) {
    summary = AttachSummary(files)
    view = ServiceView(files, options)
    self.options = options
  }

  /// Throws `.usage` if the tenant would be attached below the generation of its files.
  func checkGeneration() throws(Failure) {
    guard case .pageserver(_, _, let generation?) = options.target, generation < files.generation
    else { return }
    throw Failure(
      .badOption,
      "option '--attach-generation' must be \(files.generation) or more, as the files are of that "
        + "generation, not \(generation)",
      hint: "A pageserver takes a lower one without an error, and the tenant is then empty.")
  }

  mutating func run() throws(Failure) {
    if view.controller != nil { try attachByController() } else { try attachToPageserver() }
    for index in files.timelines.indices { try serve(index) }
    summary.shards = view.servedShards()
  }

  /// The error with what is in place, so that a person knows where the service was left.
  func explained(_ failure: Failure) -> Failure {
    if [.hungUp, .interrupted, .terminated].contains(failure.exitCode) { return failure }
    var failure = failure
    let state =
      summary.inPlace.isEmpty
      ? "Nothing is in place yet." : "In place: \(summary.inPlace.joined(separator: "; "))."
    failure.hint = [failure.hint, state].compactMap(\.self).joined(separator: " ")
    return failure
  }

  // MARK: Calls

  /// Makes a call that changes something; false if nobody knows what came of it, after a wait.
  mutating func make(
    _ call: ServiceCall, _ purpose: String, _ patience: inout Patience,
    _ send: (ServiceCall) throws(Failure) -> ServiceAnswer
  ) throws(Failure) -> ServiceAnswer? {
    let answer = try send(call)
    if case .unknown(let failure) = answer {
      summary.done.append("\(purpose), without an answer (\(call.description))")
      try patience.wait(or: failure)
      return nil
    }
    if case .done = answer { summary.done.append("\(purpose) (\(call.description))") }
    return answer
  }

  // MARK: The tenant

  private mutating func attachByController() throws(Failure) {
    guard let controller = view.controller else { return }
    // The first look is not waited for: a wrong URL is to be known at once.
    var isKnown = try controller.knows(files.id)
    var patience = Patience(options)
    while !isKnown {
      try importTenant(controller, &patience)
      isKnown = try patience.look { () throws(Failure) in try controller.knows(files.id) }
    }
    // Right after that, the shards may not be where they will be yet.
    while try !patience.look({ () throws(Failure) in try view.locate() }) {
      try patience.wait(or: Self.notReady("the controller has not attached '\(files.id)' yet"))
    }
    summary.shards = view.servedShards()
    summary.inPlace.append("tenant \(files.id) is known to the controller")
  }

  /// Has the controller attach the tenant, once a pageserver has registered with it; it may turn out
  /// that it did not.
  mutating func importTenant(
    _ controller: Controller, _ patience: inout Patience
  ) throws(Failure) {
    while try patience.look({ () throws(Failure) in try controller.activePageserverCount() }) == 0 {
      try patience.wait(or: Self.notReady("no pageserver has registered with the controller yet"))
    }
    let call = controller.importCall(files.id)
    let answer = try make(call, "attached tenant \(files.id)", &patience) {
      call throws(Failure) in try controller.perform(call)
    }
    switch answer {
    case .done: hasImported = true
    case .refused(let refusal) where refusal.status == 404:
      throw Failure(
        .notInRemoteStorage, refusal.failure.message,
        hint:
          "The service's remote storage does not have the tenant. Copy the files there first, the "
          + "index last.")
    // The pageserver may have gone in between.
    case .refused(let refusal) where refusal.status == 400:
      try patience.wait(or: refusal.failure)
    case .refused(let refusal): throw refusal.failure
    case .unknown, nil: return
    }
  }

  private mutating func attachToPageserver() throws(Failure) {
    guard case .pageserver(let url, _, let wanted) = options.target else { return }
    let generation = wanted ?? files.generation
    for shard in files.shards {
      let pageserver = try view.pageserver(of: shard)
      var attached = try pageserver.tenant(shard.name)
      var patience = Patience(options)
      while try Self.needsAttaching(attached, shard, files, isWanted: wanted != nil) {
        let call = pageserver.attachCall(shard, generation: generation)
        let answer = try make(
          call, "attached \(shard.name) at generation \(generation)", &patience
        ) { call throws(Failure) in try pageserver.perform(call) }
        if case .refused(let refusal) = answer { throw refusal.failure }
        attached = try patience.look { () throws(Failure) in try pageserver.tenant(shard.name) }
        if answer != nil, try Self.needsAttaching(attached, shard, files, isWanted: true) {
          try patience.wait(or: Self.notReady("'\(shard.name)' is not attached yet"))
        }
      }
      let words = attached?.generation.map { " at generation \($0)" } ?? ""
      summary.inPlace.append("\(shard.name) is attached to \(url)\(words)")
    }
    summary.shards = view.servedShards()
  }

  /// Whether a shard is not attached, or at a generation below that of the files.
  ///
  /// Attaching again replaces the tenant's settings, which is for a person to decide if the tenant is
  /// in use.
  static func needsAttaching(
    _ attached: AttachedTenant?, _ shard: ShardName, _ files: TenantFiles, isWanted: Bool
  ) throws(Failure) -> Bool {
    guard let attached else { return true }
    guard let generation = attached.generation, generation < files.generation else { return false }
    guard isWanted || attached.timelines.isEmpty else {
      throw Failure(
        .serviceFailed,
        "'\(shard.name)' is attached at generation \(generation), and the files are of generation "
          + "\(files.generation)",
        hint: "Import with '--generation \(generation)' or less; or give '--attach-generation "
          + "\(files.generation)', which replaces the settings of the tenant.")
    }
    return true
  }

  static func notReady(_ message: String) -> Failure {
    Failure(
      .serviceNotReady, message,
      hint: "Run the same command again, with a longer '--wait'.")
  }
}
