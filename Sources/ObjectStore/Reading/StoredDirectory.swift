import PostgresFormat
import Synchronization
import System

/// What is below a prefix of a bucket, read as a directory.
///
/// Memory: 64 MiB, or what it is given, for what was read last (`WindowCache`), and some 300 bytes a file
/// that was opened.
package final class StoredDirectory: ReadableDirectory {
  /// The URL, without a slash at its end.
  package let path: String
  private let location: StoreLocation
  private let client: StoreClient
  private let cache: WindowCache
  private let files = Mutex<[String: StoredFile]>([:])

  /// The directory at the client's location, or at another prefix of the same bucket; it need not have
  /// anything in it. `memory` is for what was read last; nil for the usual.
  package init(_ client: StoreClient, at prefix: String? = nil, memory: Int? = nil) {
    self.client = client
    cache = WindowCache(memory: memory ?? WindowCache.usualMemory)
    location =
      prefix.map { StoreLocation(bucket: client.location.bucket, prefix: $0) }
      ?? client.location
    path = location.description
  }

  private func key(of name: String) -> String { location.keyPrefix + name }

  /// The names of objects and of what would be directories. A request for each 1,000.
  package func names() throws(Failure) -> [String] { try names(below: location.keyPrefix) }

  package func names(in directory: String) throws(Failure) -> [String] {
    try names(below: key(of: directory) + "/")
  }

  package func names(beginningWith text: String) throws(Failure) -> [String] {
    try names(below: location.keyPrefix, beginningWith: text)
  }

  private func names(
    below prefix: String, beginningWith text: String = ""
  ) throws(Failure) -> [String] {
    var names: [String] = []
    // Some tools make an object for the directory itself.
    try client.list(
      prefix + text, delimiter: "/",
      directory: { names.append(String($0.dropFirst(prefix.count).dropLast())) },
      { if $0.key != prefix { names.append(String($0.key.dropFirst(prefix.count))) } })
    return names.sorted()
  }

  /// Reads the beginning of an object, which also tells its length; one that was opened before is not
  /// read again.
  package func open(_ name: String) throws(Failure) -> (file: any ReadableFile, byteCount: UInt64) {
    if let file = files.withLock({ $0[name] }) { return (file, file.byteCount) }
    let file = try StoredFile(key(of: name), path: path + "/" + name, client, cache)
    files.withLock { $0[name] = file }
    return (file, file.byteCount)
  }
}

/// An object that is read as a file.
///
/// ```
/// ├──window──┼──window──┼──window──┼──window──┤   what is read is kept for a time, in whole windows,
///        ├────read────┤                           so the next read nearby takes no request
/// ```
///
/// As long as windows are wanted one after another, each request gets twice as many as the one before, up
/// to 4 MiB. Reads of `pieceByteCount` and more go directly into the caller's buffer. The object must stay as it
/// is: another one of the same key is an error.
final class StoredFile: ReadableFile {
  let byteCount: UInt64
  /// A request takes some 20 ms before its first byte, and some 50 ms for so many.
  let pieceByteCount = 4 << 20

  private let key: String
  private let path: String
  private let client: StoreClient
  private let cache: WindowCache
  private let entityTag: String?
  private let number: Int
  /// How many windows the last request got, and the one after them.
  private let last = Mutex((count: 1, end: 1))

  init(
    _ key: String, path: String, _ client: StoreClient, _ cache: WindowCache
  ) throws(Failure) {
    var window = [UInt8](repeating: 0, count: WindowCache.windowByteCount)
    guard let piece = try client.get(key, into: &window, count: window.count, at: 0) else {
      throw Failure(.missingFile, "cannot open \(path.quoted): there is no such object")
    }
    window.removeSubrange(piece.byteCount...)
    byteCount = piece.objectByteCount
    entityTag = piece.entityTag
    number = cache.newFile()
    self.key = key
    self.path = path
    self.client = client
    self.cache = cache
    cache.keep(window[...], number: 0, ofFile: number)
  }

  func read(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) -> Int {
    precondition(count <= bytes.count)
    let count = Int(min(UInt64(count), byteCount - min(offset, byteCount)))
    guard count < pieceByteCount else {
      try fetch(into: &bytes, count: count, at: offset)
      return count
    }
    let size = WindowCache.windowByteCount
    var done = 0
    while done < count {
      let place = Int(offset) + done
      let window = try window(place / size, upTo: (Int(offset) + count - 1) / size)
      let start = place % size
      let piece = min(count - done, window.count - start)
      bytes.replaceSubrange(
        done..<done + piece,
        with: window[window.startIndex + start..<window.startIndex + start + piece])
      done += piece
    }
    return count
  }

  /// A window; if it has to be fetched, so are those after it `upTo` the last that is wanted, and perhaps
  /// more, but none that is there, in the same request.
  private func window(_ first: Int, upTo wanted: Int) throws(Failure) -> ArraySlice<UInt8> {
    if let window = cache.window(first, ofFile: number) { return window }
    let size = WindowCache.windowByteCount
    let next = last.withLock { last in
      let count = first == last.end ? min(last.count * 2, cache.aheadLimit) : 1
      return max(wanted + 1, first + count)
    }
    var end = first + 1
    while end < next, end * size < byteCount, !cache.contains(end, ofFile: number) { end += 1 }
    last.withLock { $0 = (end - first, end) }
    let offset = UInt64(first * size)
    let count = Int(min(UInt64((end - first) * size), byteCount - offset))
    var bytes = [UInt8](repeating: 0, count: count)
    try fetch(into: &bytes, count: count, at: offset)
    for window in first..<end {
      let start = (window - first) * size
      cache.keep(bytes[start..<min(start + size, count)], number: window, ofFile: number)
    }
    return bytes[..<min(size, count)]
  }

  private func fetch(into bytes: inout [UInt8], count: Int, at offset: UInt64) throws(Failure) {
    if count == 0 { return }
    let piece = try client.get(key, into: &bytes, count: count, at: offset)
    guard let piece, piece.byteCount == count, piece.objectByteCount == byteCount,
      piece.entityTag == entityTag
    else {
      throw Failure(
        .storeFailed, "\(path.quoted) changed or disappeared while it was read",
        hint: "Another program writes to this timeline. Make sure that none does, and try again.")
    }
  }
}
