/// A short form of files that consist of blocks, which the fuzzer changes: each block without the
/// zeros at its end.
///
/// ```
/// u16 length, then this many bytes of the block; and so on    little-endian
/// ```
///
/// A layer file of one key has 24 KiB, nearly all of them zeros; its short form has 300 bytes.
public enum ShortForm {
  /// The length of a block of a layer file in bytes.
  public static let layerBlock = 8192
  /// The length of a page of the WAL in bytes.
  public static let walPage = 8192
  /// The length of a block of a tar in bytes.
  public static let archiveBlock = 512

  /// The maximum length of a file.
  private static let fileLimit = 512 << 10

  /// The short form of a file of whole blocks.
  public static func encode(_ file: [UInt8], blockByteCount: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: file.count, by: blockByteCount) {
      let block = file[start..<min(start + blockByteCount, file.count)]
      let end = block.lastIndex { $0 != 0 }.map { $0 + 1 } ?? start
      bytes.appendLittleEndian(UInt16(end - start))
      bytes += block[..<end]
    }
    return bytes
  }

  /// The file; lengths beyond a block or the input are cut.
  public static func decode(_ bytes: RawSpan, blockByteCount: Int) -> [UInt8] {
    var file: [UInt8] = []
    var offset = 0
    while offset + 2 <= bytes.byteCount, file.count < fileLimit {
      let length = Int(bytes.littleEndian(at: offset, as: UInt16.self))
      offset += 2
      let count = min(length, blockByteCount, bytes.byteCount - offset)
      file += bytes.extracting(offset..<offset + count).array
      file += [UInt8](repeating: 0, count: blockByteCount - count)
      offset += count
    }
    return file
  }
}
