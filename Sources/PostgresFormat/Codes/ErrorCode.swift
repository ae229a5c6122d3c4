/// What went wrong, as a script tells it: one code for each thing that is handled differently.
///
/// A raw value never changes its meaning and is never reused, as scripts depend on it. `exitCode`,
/// `meaning` and `action` are in the table of the target that knows exit codes; `Docs/errors.md` is
/// made from it.
public enum ErrorCode: String, CaseIterable, Sendable {
  // MARK: Verify and inspect
  case timelineDamaged = "timeline-damaged"
  case timelineDiffers = "timeline-differs"
  case keyNotFound = "key-not-found"

  // MARK: The timeline's directory
  case timelineBusy = "timeline-busy"
  case timelineExists = "timeline-exists"

  // MARK: The command line
  case unknownCommand = "unknown-command"
  case unknownOption = "unknown-option"
  case badOption = "bad-option"
  case missingArgument = "missing-argument"
  case unexpectedArgument = "unexpected-argument"
  case conflictingOptions = "conflicting-options"
  case optionNotApplicable = "option-not-applicable"
  case argumentNotUTF8 = "argument-not-utf8"
  case urlUnsupported = "url-unsupported"
  case terminalRefused = "terminal-refused"
  case severalTimelines = "several-timelines"
  case layerNotFound = "layer-not-found"
  case unknownUser = "unknown-user"
  case recoveryAsRoot = "recovery-as-root"
  case notRoot = "not-root"
  case userOwnsServer = "user-owns-server"
  case scratchNotAccessible = "scratch-not-accessible"

  // MARK: The backup's archive
  case backupEmpty = "backup-empty"
  case backupTruncated = "backup-truncated"
  case compressedStreamDamaged = "compressed-stream-damaged"
  case archiveDamaged = "archive-damaged"
  case trailingData = "trailing-data"
  case notATar = "not-a-tar"
  case unsupportedCompression = "unsupported-compression"
  case encryptedBackup = "encrypted-backup"
  case pgDump = "pg-dump"

  // MARK: The backup's files
  case badMemberName = "bad-member-name"
  case wrongFileType = "wrong-file-type"
  case unexpectedFile = "unexpected-file"
  case duplicateFile = "duplicate-file"
  case missingFile = "missing-file"
  case fileTruncated = "file-truncated"
  case fileTooLarge = "file-too-large"
  case misplacedDataDirectory = "misplaced-data-directory"
  case missingControlFile = "missing-control-file"
  case missingTablespace = "missing-tablespace"
  case versionMismatch = "version-mismatch"
  case controlFileDamaged = "control-file-damaged"
  case versionFileDamaged = "version-file-damaged"
  case relationMapDamaged = "relation-map-damaged"
  case twoPhaseFileDamaged = "two-phase-file-damaged"
  case preparedTransactionMismatch = "prepared-transaction-mismatch"
  case replicationOriginsDamaged = "replication-origins-damaged"
  case signalFileDamaged = "signal-file-damaged"
  case backupLabelDamaged = "backup-label-damaged"
  case tablespaceMapDamaged = "tablespace-map-damaged"
  case pageTooNew = "page-too-new"
  case pageChecksum = "page-checksum"
  case manifestMismatch = "manifest-mismatch"
  case manifestDamaged = "manifest-damaged"
  case manifestOfOtherCluster = "manifest-of-other-cluster"
  case directoryChanged = "directory-changed"

  // MARK: Recovery
  case walDamaged = "wal-damaged"
  case walMissing = "wal-missing"
  case recoveryFailed = "recovery-failed"
  case recoveryTargetNotReached = "recovery-target-not-reached"

  // MARK: A timeline that is read
  case indexDamaged = "index-damaged"
  case tenantManifestDamaged = "tenant-manifest-damaged"
  case tenantLayoutDiffers = "tenant-layout-differs"
  case stripeSizeDiffers = "stripe-size-differs"
  case shardMissing = "shard-missing"
  case shardsDiffer = "shards-differ"
  case layerDamaged = "layer-damaged"
  case timelineInconsistent = "timeline-inconsistent"
  case receiptDamaged = "receipt-damaged"

  // MARK: Input
  case inputNotFound = "input-not-found"
  case inputPermissionDenied = "input-permission-denied"
  case cannotOpenInput = "cannot-open-input"
  case inputOfOtherUser = "input-of-other-user"
  case notADataDirectory = "not-a-data-directory"
  case notATimeline = "not-a-timeline"

  // MARK: Servers and object stores
  case libraryMissing = "library-missing"
  case serverUnreachable = "server-unreachable"
  case connectionLost = "connection-lost"
  case certificateRefused = "certificate-refused"
  case serverFailed = "server-failed"
  case storeFailed = "store-failed"
  case storeBusy = "store-busy"
  case bucketNotFound = "bucket-not-found"
  case wrongRegion = "wrong-region"
  case clockSkew = "clock-skew"
  case credentialsMissing = "credentials-missing"
  case credentialsRefused = "credentials-refused"
  case storeAccessDenied = "store-access-denied"

  // MARK: The service
  case serviceUnavailable = "service-unavailable"
  case serviceNotReady = "service-not-ready"
  case serviceFailed = "service-failed"
  case safekeepersMissing = "safekeepers-missing"
  case tokenRefused = "token-refused"
  case notInRemoteStorage = "not-in-remote-storage"
  case notInService = "not-in-service"
  case timelineConflict = "timeline-conflict"
  case shardConflict = "shard-conflict"
  case stripeSizeUnknown = "stripe-size-unknown"

  // MARK: What cannot be imported or read as it is
  case runningCluster = "running-cluster"
  case uncleanShutdown = "unclean-shutdown"
  case serverRunning = "server-running"
  case standbyCluster = "standby-cluster"
  case tablespacesUnsupported = "tablespaces-unsupported"
  case incrementalBackup = "incremental-backup"
  case foreignBackup = "foreign-backup"
  case severalClusters = "several-clusters"
  case upgradedCluster = "upgraded-cluster"
  case unsupportedVersion = "unsupported-version"
  case unsupportedBuild = "unsupported-build"
  case compressionWindow = "compression-window"
  case decompressionMemory = "decompression-memory"
  case manifestUnsupported = "manifest-unsupported"
  case manifestTooLate = "manifest-too-late"
  case backupTooLarge = "backup-too-large"
  case tooManyFiles = "too-many-files"
  case smallFilesTooLarge = "small-files-too-large"
  case tooManyHoles = "too-many-holes"
  case tooManyChunks = "too-many-chunks"
  case recoveryNotNeeded = "recovery-not-needed"
  case postgresNotFound = "postgres-not-found"
  case postgresCannotRun = "postgres-cannot-run"
  case postgresVersionMismatch = "postgres-version-mismatch"
  case sandboxUnavailable = "sandbox-unavailable"
  case newTablespace = "new-tablespace"
  case fullCopyNeeded = "full-copy-needed"
  case partsNotCopied = "parts-not-copied"
  case recoveryTargetInBackup = "recovery-target-in-backup"
  case onlyShardsRecovered = "only-shards-recovered"
  case tablespaceMoveFailed = "tablespace-move-failed"
  case timelineDeleted = "timeline-deleted"
  case timelineShard = "timeline-shard"
  case timelineBranch = "timeline-branch"
  case needsWALReplay = "needs-wal-replay"
  case storageFormatUnsupported = "storage-format-unsupported"
  case receiptUnsupported = "receipt-unsupported"

  // MARK: Bugs
  case bug

  // MARK: Output
  case outputExists = "output-exists"
  case outputNotFound = "output-not-found"
  case outputPermissionDenied = "output-permission-denied"
  case outputOfOtherUser = "output-of-other-user"
  case cannotCreateOutput = "cannot-create-output"
  case noSpace = "no-space"
  case readFailed = "read-failed"
  case restoreCommandFailed = "restore-command-failed"
  case writeFailed = "write-failed"
  case brokenPipe = "broken-pipe"
  case writtenDataChanged = "written-data-changed"
  case receiptNotWritten = "receipt-not-written"
  case outOfMemory = "out-of-memory"
  case resourceLimit = "resource-limit"

  // MARK: Signals
  case hungUp = "hung-up"
  case interrupted
  case terminated
}
