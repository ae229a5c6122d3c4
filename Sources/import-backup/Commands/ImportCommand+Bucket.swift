import ObjectStore
import Operations
import PostgresFormat
import System

/// The output in a bucket.
extension ImportCommand {
  /// The backup is a file.
  static var operandsMayBeStored: Bool { false }

  var store: StoreOptions {
    get { settings.store }
    set { settings.store = newValue }
  }

  /// Whether the output is in a bucket.
  var isInBucket: Bool { StoreLocation.isMeant(by: settings.outputDirectory) }

  /// The word for memory instead of a scratch directory.
  private static let noScratch = "none"

  static let bucketOptions: [CommandOption<ImportCommand>] = [
    .endpointURL, .region,

    CommandOption(
      "uploads", value: "N",
      help: """
        layers to send to the bucket at once (default: \
        \(ImportOptions(backup: "", outputDirectory: "").uploadCount))
        """
    ) { command, value throws(Failure) in
      command.uploadCount = try value.integer(in: 1...64)
    },

    CommandOption(
      "allow-any-store", help: "write to a store from which a pageserver cannot read"
    ) { command, _ in command.settings.allowsAnyStore = true },
  ]

  /// Refuses options that do not go without a bucket.
  func requireUseOfBucket() throws(Failure) {
    let lonely: [(name: String, isGiven: Bool)] = [
      ("endpoint-url", store.endpointURL != nil), ("region", store.region != nil),
      ("uploads", uploadCount != nil), ("allow-any-store", settings.allowsAnyStore),
      ("scratch none", recovery.scratchParent == Self.noScratch && isScratchGiven),
    ]
    guard let option = lonely.first(where: \.isGiven) else {
      guard !recovery.programs.isEmpty, recovery.scratchParent == Self.noScratch else { return }
      throw noDirectory
    }
    throw Failure(
      .optionNotApplicable, "'--\(option.name)' is for an output in an object store",
      hint: "Give the output as s3://BUCKET/PREFIX, or leave the option out.")
  }

  /// The largest object that one request writes. (AWS, "Amazon S3 multipart upload limits")
  private static let objectLimit: UInt64 = 5 << 30

  /// Takes what is said of the bucket, and refuses options that do not go with one.
  mutating func takeBucket() throws(Failure) {
    _ = try StoreLocation(settings.outputDirectory)
    let sizes = [
      ("image-layer-size", settings.imageLayerSize), ("chunk-size", settings.chunkSize),
    ]
    for (name, size) in sizes where size > Self.objectLimit {
      throw Failure(
        .badOption, "option '--\(name)' is at most 5G in an object store",
        hint: "A layer is written by one request, which takes 5 GiB at most.")
    }
    if settings.outputOwner != nil {
      throw Failure(
        .optionNotApplicable, "'--output-owner' is for directories",
        hint: "What is written to a bucket belongs to the account of the credentials.")
    }
    // The certificates are for all servers.
    settings.store.caBundle = service.options.caBundle
    if let uploadCount { settings.uploadCount = uploadCount }
    if recovery.scratchParent == Self.noScratch {
      guard recovery.programs.isEmpty else { throw noDirectory }
      recovery.scratchParent = nil
    } else {
      recovery.scratchParent = recovery.scratchParent ?? Self.usualScratch
      settings.stagingDirectory = recovery.scratchParent
    }
    // It is for the layers, too.
    isScratchGiven = false
  }

  private var noDirectory: Failure {
    let given = isScratchGiven ? "'--scratch none'" : "the variable IMPORT_BACKUP_SCRATCH=none"
    return Failure(
      .conflictingOptions, "\(given) cannot be used with '--recover-with'",
      hint: "Postgres works in a directory. Give one with '--scratch'.")
  }

  /// A directory for large files that may be lost when the system starts. (file-hierarchy(7))
  private static var usualScratch: String {
    Environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/var/tmp"
  }
}
