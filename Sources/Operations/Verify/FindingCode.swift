import LayerFormat
import PostgresFormat

/// What is wrong with a timeline, as a script tells it.
public enum FindingCode: String, StableCode {
  // The index and the layers
  case layerMissing = "layer-missing"
  case layerDamaged = "layer-damaged"
  case layersOverlap = "layers-overlap"
  case layerGap = "layer-gap"
  case layerAfterEnd = "layer-after-end"
  case fileUnlisted = "file-unlisted"
  case fileMissing = "file-missing"
  case fileSize = "file-size"
  case fileHash = "file-hash"
  case fileUnreadable = "file-unreadable"
  case indexInconsistent = "index-inconsistent"
  case manifestMissing = "manifest-missing"

  // The keys and their values
  case keyUnknown = "key-unknown"
  case keyMissing = "key-missing"
  case keyUnlisted = "key-unlisted"
  case keyHidden = "key-hidden"
  case keyInWrongShard = "key-in-wrong-shard"
  case shardsDiffer = "shards-differ"
  case keyRepeated = "key-repeated"
  case pageMissing = "page-missing"
  case listRepeats = "list-repeats"
  case sizeWrong = "size-wrong"
  case valueDamaged = "value-damaged"
  case valueInconsistent = "value-inconsistent"
  case valueLSN = "value-lsn"
  case walRecord = "wal-record"

  // The comparison with a backup
  case otherCluster = "other-cluster"
  case laterBackup = "later-backup"
  case indexDiffers = "index-differs"
  case pageDiffers = "page-differs"
  case pageNotInTimeline = "page-not-in-timeline"
  case pageNotInBackup = "page-not-in-backup"
  case valueDiffers = "value-differs"
  case valueNotInTimeline = "value-not-in-timeline"
  case valueNotInBackup = "value-not-in-backup"

  /// What it means, in full sentences.
  public var meaning: String {
    switch self {
    case .layerMissing: "The index lists a layer that is not in the directory."
    case .layerDamaged: "A layer cannot be read: its summary, its index or a blob is damaged."
    case .layersOverlap: "Two image layers of an import have the same key."
    case .layerGap: "The L0 layers do not follow each other up to the end of the timeline."
    case .layerAfterEnd: "A layer is after the end of the timeline, so a pageserver ignores it."
    case .fileUnlisted: "The directory has a file that the index or the receipt does not list."
    case .fileMissing: "A file of the receipt is not in the directory."
    case .fileSize: "A file does not have the length that the receipt says."
    case .fileHash: "A file does not have the SHA-256 that the receipt says."
    case .fileUnreadable: "A file of the receipt is something else in the directory."
    case .indexInconsistent: "A field of the index is impossible, or contradicts another one."
    case .manifestMissing:
      "A shard has no tenant manifest with the stripe size, so 'attach' refuses the tenant."
    case .keyUnknown: "A layer contains a key that means nothing to a pageserver."
    case .keyMissing: "A key has no value, although it is needed or listed."
    case .keyUnlisted: "A key has a value, but no list has it: a pageserver never reads it."
    case .keyInWrongShard: "A key is in a shard to which it does not belong."
    case .shardsDiffer: "A value that all shards have is not the same in all of them."
    case .keyHidden: "A value is hidden by an image layer that covers its key."
    case .keyRepeated: "A key has several values, where an import writes one."
    case .pageMissing: "A page below the size of its relation or SLRU segment has no value."
    case .listRepeats: "A list has an element twice."
    case .sizeWrong: "The size of a relation or an SLRU segment contradicts its pages."
    case .valueDamaged: "A value cannot be decompressed or decoded, or has the wrong length."
    case .valueInconsistent:
      "A value does not have the contents that Postgres, the index or another value requires."
    case .valueLSN: "A value does not have the LSN of the import."
    case .walRecord: "A key of an import has a WAL record instead of a value."
    case .otherCluster:
      "The backup, or the WAL given with it, is from another cluster; nothing else was compared."
    case .laterBackup:
      "The backup began after the end of the timeline, so the timeline was not made from it; nothing "
        + "else was compared."
    case .indexDiffers: "A field of the index is not what an import of the backup would write."
    case .pageDiffers: "A page has other bytes than in the backup."
    case .pageNotInTimeline: "A page of the backup is not in the timeline."
    case .pageNotInBackup: "A page of the timeline is not in the backup."
    case .valueDiffers: "A value is not what an import of the backup would write."
    case .valueNotInTimeline: "A value that an import of the backup would write is missing."
    case .valueNotInBackup: "An import of the backup would not write this value."
    }
  }
}

extension FindingCode {
  /// The code of what does not follow the grammar of the key space.
  init(_ problem: KeyspaceFault.Problem) {
    self =
      switch problem {
      case .unknownKey: .keyUnknown
      case .missing: .keyMissing
      case .missingBlocks: .pageMissing
      case .unlisted: .keyUnlisted
      case .listsTwice: .listRepeats
      case .wrongByteCount, .damaged: .valueDamaged
      case .tooManyBlocks, .sizeBelowBlocks: .sizeWrong
      // A walk gives keys in order, or fails by the layer; only an export keeps the small files.
      case .outOfOrder: .layerDamaged
      case .exceedsSmallFileLimit: .valueInconsistent
      }
  }
}
