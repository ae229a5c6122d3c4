import Backup
import PostgresFormat
import System

extension FuzzTarget {
  /// Decompresses at most 1 MiB; more would not test anything else.
  func runDecoder(_ bytes: RawSpan) throws(Failure) {
    let file = MemoryFile(bytes)
    let window = InputWindow(try FileSource(path: file.path), progress: InputProgress())
    let source: any ByteSource
    do throws(FormatError) {
      source =
        switch self {
        case .gzip: DecompressingSource(GzipDecoder(), input: window, subject: rawValue)
        case .lz4: DecompressingSource(try Lz4Decoder(), input: window, subject: rawValue)
        case .xz: DecompressingSource(try XzDecoder(), input: window, subject: rawValue)
        default: DecompressingSource(try ZstdDecoder(), input: window, subject: rawValue)
        }
    } catch {
      throw Failure(error, in: rawValue, damage: .archiveDamaged)
    }
    // Less than the output of small inputs, so that a stream continues in another buffer.
    let buffer = ByteBuffer(capacity: 4096)
    for _ in 0..<256 {
      try buffer.fill(from: source)
      if buffer.byteCount < 4096 { return }
    }
  }
}
