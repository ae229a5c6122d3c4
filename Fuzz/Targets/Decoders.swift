import Backup
import PostgresFormat
import System

extension FuzzTarget {
  /// Decompresses, up to a MiB: what comes behind it is more of the same.
  func runDecoder(_ bytes: RawSpan) throws(Failure) {
    let file = MemoryFile(bytes)
    let window = InputWindow(try FileSource(path: file.path), progress: InputProgress())
    let source: any ByteSource
    do throws(FormatError) {
      source =
        switch self {
        case .gzip: DecompressingSource(try GzipDecoder(), input: window, subject: rawValue)
        case .lz4: DecompressingSource(try Lz4Decoder(), input: window, subject: rawValue)
        case .xz: DecompressingSource(try XzDecoder(), input: window, subject: rawValue)
        default: DecompressingSource(try ZstdDecoder(), input: window, subject: rawValue)
        }
    } catch {
      throw Failure(error, in: rawValue)
    }
    // Less than what small inputs give, so that a stream goes on in another buffer.
    let buffer = ByteBuffer(capacity: 4096)
    for _ in 0..<256 {
      try buffer.fill(from: source)
      if buffer.byteCount < 4096 { return }
    }
  }
}
