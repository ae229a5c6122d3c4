import CCurl
import PostgresFormat
import System

/// What libcurl's callbacks work on while one request is under way.
///
/// Belongs to the thread that performs the request, on which libcurl calls back.
@safe
final class Transfer {
  /// Where the body of a successful answer goes.
  enum Sink {
    /// Into memory, if it has at most this many bytes.
    case memory(limit: Int)
    /// Into a buffer of the caller's.
    case buffer
  }

  /// What is kept of the body of an answer that is no success.
  private static let errorLimit = 64 << 10

  private(set) var status = 0
  private(set) var headers: [HTTPHeader] = []
  private(set) var body: [UInt8] = []
  /// How many bytes the caller's buffer has got.
  private(set) var byteCount = 0
  /// Whether the answer was longer than the sink allows.
  private(set) var isTooLong = false

  private let sink: Sink
  // Invariant: set for the time of one call of the client, which lends the buffer.
  private let destination: UnsafeMutableRawBufferPointer?
  private let upload: HTTPRequest.Body
  private var sentByteCount = 0
  /// Why the body could not be read.
  private(set) var failure: Failure?

  init(
    _ sink: Sink, upload: HTTPRequest.Body?, destination: UnsafeMutableRawBufferPointer? = nil
  ) {
    self.sink = sink
    self.upload = upload ?? .bytes([])
    unsafe self.destination = destination
  }

  private var isSuccess: Bool { (200..<300).contains(status) }

  /// Takes a line of the header. A status line begins another answer: those before were only
  /// preliminary, as `100 Continue` is.
  private func takeHeaderLine(_ line: UnsafeRawBufferPointer) {
    let text = unsafe String(decoding: line, as: UTF8.self)
    if text.hasPrefix("HTTP/") {
      status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
      headers = []
      return
    }
    guard let colon = text.firstIndex(of: ":") else { return }
    let value = text[text.index(after: colon)...]
    headers.append(HTTPHeader(String(text[..<colon]), String(value.trimmingWhitespace())))
  }

  /// Takes a piece of the body; false if there is no room for it.
  private func takeBody(_ piece: UnsafeRawBufferPointer) -> Bool {
    guard isSuccess else {
      unsafe body.append(contentsOf: piece.prefix(Self.errorLimit - body.count))
      return true
    }
    switch sink {
    case .memory(let limit):
      isTooLong = piece.count > limit - body.count
      if !isTooLong { unsafe body.append(contentsOf: piece) }
    case .buffer:
      let room = unsafe destination?.count ?? 0
      isTooLong = piece.count > room - byteCount
      if !isTooLong, let destination = unsafe destination {
        // Invariant: the piece fits into the rest of the buffer.
        unsafe UnsafeMutableRawBufferPointer(rebasing: destination[byteCount...])
          .copyMemory(from: piece)
        byteCount += piece.count
      }
    }
    return !isTooLong
  }

  /// Gives the next piece of what is uploaded; returns its length, 0 at the end, and nil if it cannot be
  /// read.
  private func giveUpload(_ room: UnsafeMutableRawBufferPointer) -> Int? {
    let count = min(room.count, upload.byteCount - sentByteCount)
    // Invariant: `count` does not exceed the room.
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: room[..<count])
    switch upload {
    case .bytes(let bytes):
      unsafe bytes.withUnsafeBytes { bytes in
        unsafe target.copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[sentByteCount..<sentByteCount + count]))
      }
    case .file(let file, _):
      do throws(Failure) {
        try unsafe file.read(into: target, at: UInt64(sentByteCount))
      } catch {
        failure = error
        return nil
      }
    }
    sentByteCount += count
    return count
  }

  private func rewind(to offset: Int) -> Bool {
    guard (0...upload.byteCount).contains(offset) else { return false }
    sentByteCount = offset
    return true
  }
}

extension Transfer {
  // Invariant of all callbacks: the pointer is that of a transfer which the client keeps until the
  // request has ended, and libcurl calls them on the client's thread, with buffers of the length
  // that it gives.

  private static func at(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    unsafe context.map { unsafe Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Has an easy handle call back for this transfer.
  func attach(to handle: borrowing EasyHandle) {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    for option in [
      CURLOPT_WRITEDATA, CURLOPT_HEADERDATA, CURLOPT_READDATA, CURLOPT_SEEKDATA,
    ] {
      unsafe handle.set(option, pointer: context)
    }
    unsafe handle.set(
      CURLOPT_WRITEFUNCTION,
      receiver: { bytes, size, count, context in
        let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
        guard let transfer = unsafe Transfer.at(context) else { return 0 }
        return unsafe transfer.takeBody(piece) ? piece.count : 0
      })
    unsafe handle.set(
      CURLOPT_HEADERFUNCTION,
      receiver: { bytes, size, count, context in
        let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
        unsafe Transfer.at(context)?.takeHeaderLine(line)
        return line.count
      })
    unsafe handle.set(sender: { bytes, size, count, context in
      let room = unsafe UnsafeMutableRawBufferPointer(start: bytes, count: size * count)
      return unsafe Transfer.at(context)?.giveUpload(room) ?? Int(CURL_READFUNC_ABORT)
    })
    unsafe handle.set(rewinder: { context, offset, origin in
      let isDone = unsafe origin == SEEK_SET && Transfer.at(context)?.rewind(to: offset) == true
      return isDone ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL
    })
  }
}

extension Substring {
  /// The text without spaces, tabs and line ends around it.
  fileprivate func trimmingWhitespace() -> Substring {
    var text = self
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }
}
