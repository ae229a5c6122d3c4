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
  /// The calls that got no answer, by their descriptions: until when the server may be busy with them,
  /// and the error.
  private var unanswered: [String: (end: ContinuousClock.Instant, failure: Failure)] = [:]

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
      !summary.inPlace.isEmpty
      ? "In place: \(summary.inPlace.map(\.message).joined(separator: "; "))."
      : summary.done.isEmpty
        ? "Nothing was changed."
        : "Done: \(summary.done.map(\.message).joined(separator: "; "))."
    failure.hint = [failure.hint, state].compactMap(\.self).joined(separator: " ")
    return failure
  }

  // MARK: Calls

  /// Makes a call that changes something; nil if nobody knows what came of it, after a wait.
  ///
  /// The server may still be busy with a call that it did not answer. That is not made again before
  /// another call's time has passed, in which the caller looks what came of it.
  mutating func make(
    _ call: ServiceCall, _ code: AttachSummary.DoneCode, _ purpose: String,
    _ patience: inout Patience,
    _ send: (ServiceCall) throws(Failure) -> ServiceAnswer
  ) throws(Failure) -> ServiceAnswer? {
    if let (end, failure) = unanswered[call.description] {
      try patience.wait(or: failure)
      if ContinuousClock.now < end { return nil }
    }
    let answer = try send(call)
    if case .unknown(let failure, let mayBeUnderWay) = answer {
      if mayBeUnderWay {
        let time = options.service.callTimeout
        if unanswered[call.description] == nil { patience.extend(to: time) }
        unanswered[call.description] = (.now + time, failure)
      }
      summary.done.append(
        .init(.callUnanswered, "\(purpose), without an answer (\(call.description))"))
      try patience.wait(or: failure)
      return nil
    }
    if case .done = answer {
      summary.done.append(.init(code, "\(purpose) (\(call.description))"))
    }
    return answer
  }

  // MARK: The tenant

  private mutating func attachByController() throws(Failure) {
    guard let controller = view.controller else { return }
    // The first look is not waited for: a wrong URL is to be known at once.
    var isKnown = try controller.knows(files.id)
    var patience = Patience(options)
    while !isKnown {
      if hasImported {
        try patience.wait(
          or: Self.notReady("the controller does not know tenant '\(files.id)' yet"))
      } else {
        try importTenant(controller, &patience)
      }
      isKnown = try patience.look { () throws(Failure) in try controller.knows(files.id) }
    }
    // Right after that, the shards may not be where they will be yet.
    try locate(&patience)
    summary.shards = view.servedShards()
    summary.inPlace.append(.init(.tenantAttached, "tenant \(files.id) is with the controller"))
  }

  /// Asks the controller, if there is one, where the shards are, until they are attached.
  mutating func locate(_ patience: inout Patience) throws(Failure) {
    while try !patience.look({ () throws(Failure) in try view.locate() }) {
      try patience.wait(or: Self.notLocated(files))
    }
  }

  /// The error of a tenant that the controller knows and has not attached.
  static func notLocated(_ files: TenantFiles) -> Failure {
    notReady("the controller has not attached '\(files.id)' yet")
  }

  /// Has the controller attach the tenant, once a pageserver has registered with it; it may turn out
  /// that it did not.
  private mutating func importTenant(
    _ controller: Controller, _ patience: inout Patience
  ) throws(Failure) {
    while try patience.look({ () throws(Failure) in try controller.activePageserverCount() }) == 0 {
      try patience.wait(or: Self.notReady("no pageserver has registered with the controller yet"))
    }
    let call = controller.importCall(files.id)
    let answer = try make(call, .tenantAttached, "attached tenant \(files.id)", &patience) {
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
    try view.requirePageserver()
    for shard in files.shards {
      let pageserver = try view.pageserver(of: shard)
      var attached = try pageserver.tenant(shard.name)
      var patience = Patience(options)
      var isDone = false
      while true {
        if let loading = Self.stillLoading(attached, shard), wanted == nil {
          try patience.wait(or: loading)
        } else if try !Self.needsAttaching(
          attached, shard, files, isWanted: wanted != nil || isDone)
        {
          break
        } else if isDone {
          try patience.wait(or: Self.notReady("'\(shard.name)' is not attached yet"))
        } else {
          let call = pageserver.attachCall(shard, generation: generation)
          let answer = try make(
            call, .tenantAttached, "attached \(shard.name) at generation \(generation)", &patience
          ) { call throws(Failure) in try pageserver.perform(call) }
          if case .refused(let refusal) = answer { throw refusal.failure }
          if case .done = answer { isDone = true }
        }
        attached = try patience.look { () throws(Failure) in try pageserver.tenant(shard.name) }
      }
      let words = attached?.generation.map { " at generation \($0)" } ?? ""
      summary.inPlace.append(
        .init(.tenantAttached, "\(shard.name) is attached to \(url)\(words)"))
    }
    summary.shards = view.servedShards()
  }

  /// The error of a shard that is attached and not active yet: it shows no timelines until then.
  static func stillLoading(_ attached: AttachedTenant?, _ shard: ShardName) -> Failure? {
    guard let attached, !attached.isActive else { return nil }
    return notReady("'\(shard.name)' is not active on the pageserver yet")
  }

  /// Whether a shard is not attached, or at a generation below that of a timeline that is asked for; others
  /// of the tenant's do not matter to it.
  ///
  /// Attaching again replaces the tenant's settings, which is for a person to decide if the tenant is
  /// in use. So is the generation if a pageserver has written the files: two pageservers at one
  /// generation would overwrite each other's.
  static func needsAttaching(
    _ attached: AttachedTenant?, _ shard: ShardName, _ files: TenantFiles, isWanted: Bool
  ) throws(Failure) -> Bool {
    if let attached {
      guard let generation = attached.generation,
        let highest = files.timelines.max(by: { $0.generation < $1.generation }),
        generation < highest.generation
      else { return false }
      guard isWanted || attached.timelines.isEmpty else {
        throw ServiceView.tooLow(
          shard, generation, highest, files,
          hint:
            "; or give '--attach-generation \(files.generation)', which replaces the settings of "
            + "the tenant")
      }
    }
    guard isWanted || files.areAsImported else {
      throw Failure(
        .missingArgument,
        "a pageserver has written files of tenant '\(files.id)': '--attach-generation' is required",
        hint: "Give a generation above the highest at which any pageserver has had the tenant, and "
          + "make sure that no other one has it attached.")
    }
    return true
  }

  static func notReady(_ message: String) -> Failure {
    Failure(
      .serviceNotReady, message,
      hint: "Look whether the service's servers run, and wait longer, with '--wait'.")
  }
}
