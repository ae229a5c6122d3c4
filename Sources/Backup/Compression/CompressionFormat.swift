import System

/// What an input's first bytes say it is.
enum CompressionFormat: Equatable {
  case gzip
  case xz
  case zstd
  case lz4

  /// The format of what begins with `bytes`; nil when it is none of these, such as a tar, or what
  /// `ForeignFile` knows.
  ///
  /// zstd and lz4 share the magic numbers of skippable frames: those are stepped over as far as
  /// `bytes` goes, and taken for zstd, whose parallel writer puts one first, where it ends.
  ///
  /// Sources: RFC 1952 2.3.1, the xz file format 2.1.1.1, RFC 8878 3.1.1 and 3.1.2, the LZ4 frame
  /// format's "General structure of LZ4 frame format".
  package init?(bytes: RawSpan) {
    var offset = 0
    while offset + 8 <= bytes.byteCount,
      Self.skippableMagicNumbers.contains(bytes.littleEndian(at: offset))
    {
      offset += 8 + Int(bytes.littleEndian(at: offset + 4, as: UInt32.self))
    }
    let rest = bytes.extracting(min(offset, bytes.byteCount)...)
    for (format, magic) in Self.magics where rest.starts(with: magic) {
      self = format
      return
    }
    if offset == 0 { return nil }
    self = .zstd
  }

  private static let skippableMagicNumbers: ClosedRange<UInt32> = 0x184D_2A50...0x184D_2A5F

  private static let magics: [(CompressionFormat, [UInt8])] = [
    (.gzip, [0x1F, 0x8B]),
    (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),
    (.zstd, [0x28, 0xB5, 0x2F, 0xFD]),
    (.lz4, [0x04, 0x22, 0x4D, 0x18]),
  ]
}

/// What a file that is to be read as a tar is, as far as it shows without reading it.
package enum TarKind {
  /// A file that is not compressed.
  case plain
  /// A compressed file.
  case compressed
  /// Standard input, a pipe or a device, which is not opened.
  case pipe
}

/// The kind of the tar at `path`, `-` for standard input.
package func tarKind(of path: String, _ origin: InputOrigin = .named) throws(Failure) -> TarKind {
  let file: InputFile
  switch origin {
  case .found: file = try InputFile(foundAt: path)
  case .named:
    guard path != "-", let status = try SystemCalls.status(at: path, followingLinks: true),
      status.kind == .file
    else { return .pipe }
    file = try InputFile(namedBy: path)
  }
  let bytes = try file.beginning(upTo: 64)
  return CompressionFormat(bytes: bytes.bytes) == nil ? .plain : .compressed
}
