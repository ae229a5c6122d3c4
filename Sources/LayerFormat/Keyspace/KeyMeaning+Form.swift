import PostgresFormat

extension KeyMeaning {
  /// What is wrong with the form of a value that is no page and no list; nil if nothing is.
  ///
  /// The contents of Postgres's own files are not looked at.
  func problem(of value: RawSpan) -> KeyspaceFault.Problem? {
    switch self {
    case .relationSize: return Self.problem(of: value, byteCount: 4)
    case .slruSegmentSize:
      if let problem = Self.problem(of: value, byteCount: 4) { return problem }
      let size: UInt32 = value.littleEndian(at: 0)
      let limit = UInt32(SLRUKind.pagesPerSegment)
      return size > limit ? .tooManyBlocks(size, limit: limit) : nil
    case .checkpoint: return Self.problem(of: value, byteCount: Checkpoint.byteCount)
    case .replicationOrigin: return Self.problem(of: value, byteCount: 8)
    case .statisticsFile:
      do throws(FormatError) {
        _ = try AuxiliaryFile.decodeStatistics(value)
        return nil
      } catch {
        return .damaged(error.message)
      }
    default: return nil
    }
  }

  private static func problem(of value: RawSpan, byteCount: Int) -> KeyspaceFault.Problem? {
    value.byteCount == byteCount
      ? nil : .wrongByteCount(value.byteCount, expected: byteCount)
  }
}
