import Backup
import LayerFormat
import PostgresFormat
import System

/// Where the blobs of small files are in a spool, sorted when they are taken out.
///
/// ```
/// runs     those that came last, in memory
/// pieces   sorted, in a file without a name; merged with the runs in the end
/// ```
///
/// Memory: 40 bytes for each of the runs that are not in the file, and 10 KiB a piece while they are
/// merged. A disk that fails tells nobody: what is read back must have the checksum of what was written.
struct RunTable {
  /// The blobs of consecutive blocks.
  struct Run {
    var firstKey: Key
    var shard: UInt8
    /// The CRC-32C of the blobs if they are in the spool, else 0.
    var checksum: UInt32
    var offset: UInt64
    var byteCount: UInt32
    var pageCount: UInt32

    var endKey: Key { Key(advancing: firstKey, by: Int(pageCount)) }
    /// What runs are sorted by.
    var place: (UInt8, Key) { (shard, firstKey) }
  }

  private var runs: [Run] = []
  /// Where each piece is in the file.
  private var pieces: [Range<UInt64>] = []
  private var file: OutputFile?
  private var fileByteCount: UInt64 = 0

  /// How many runs memory holds at most.
  static let memoryLimit = 1 << 17

  /// An empty table. What it reserves and does not use costs nothing; moving it would: a batch has that
  /// many runs more, at most.
  init() { runs.reserveCapacity(Self.memoryLimit + PageRuns.pageCapacity) }

  var isEmpty: Bool { runs.isEmpty && pieces.isEmpty }
  /// How many runs are in memory.
  var countInMemory: Int { runs.count }

  mutating func append(_ run: Run) { runs.append(run) }

  /// Takes all runs out, in the order of shards and keys. The memory stays.
  ///
  /// `body` may throw; the table is of no use then.
  mutating func drain(_ body: (Run) throws(Failure) -> Void) throws(Failure) {
    runs.sort { $0.place < $1.place }
    if pieces.isEmpty {
      for run in runs { try body(run) }
    } else {
      try merge(body)
    }
    runs.removeAll(keepingCapacity: true)
    pieces.removeAll()
    if fileByteCount > 0 { try file?.setByteCount(0) }
    fileByteCount = 0
  }

  // MARK: The file

  private static let blockRunCount = 256
  private static let runByteCount = 40
  private static let checksumByteCount = 4

  /// Moves what is in memory to the file, which `create` makes if there is none, and removes its name.
  mutating func spill(_ create: () throws(Failure) -> OutputFile) throws(Failure) {
    let file: OutputFile
    if let open = self.file {
      file = open
    } else {
      file = try create()
      try file.unlink()
      self.file = file
    }
    runs.sort { $0.place < $1.place }
    let start = fileByteCount
    var block: [UInt8] = []
    for first in stride(from: 0, to: runs.count, by: Self.blockRunCount) {
      block.removeAll(keepingCapacity: true)
      for run in runs[first..<min(first + Self.blockRunCount, runs.count)] {
        run.encode(into: &block)
      }
      block.appendLittleEndian(CRC32C.checksum(of: block.bytes))
      try file.write(block.bytes, at: fileByteCount)
      fileByteCount += UInt64(block.count)
    }
    pieces.append(start..<fileByteCount)
    runs.removeAll(keepingCapacity: true)
  }

  /// One of the sorted lists that are merged.
  private struct Source {
    var rest: Range<UInt64>
    var block: ArraySlice<Run>
  }

  private mutating func merge(_ body: (Run) throws(Failure) -> Void) throws(Failure) {
    var sources = [Source(rest: 0..<0, block: runs[...])]
    for piece in pieces { sources.append(Source(rest: piece, block: [])) }
    // The lowest first, as a heap.
    var heap: [Source] = []
    for var source in sources where try refill(&source) {
      heap.append(source)
      Self.rise(&heap, heap.count - 1)
    }
    while !heap.isEmpty {
      guard let run = heap[0].block.popFirst() else { break }
      try body(run)
      if try !refill(&heap[0]) {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
      }
      Self.sink(&heap)
    }
  }

  /// Reads the next block if the last one has been taken; false after the last.
  private func refill(_ source: inout Source) throws(Failure) -> Bool {
    if !source.block.isEmpty { return true }
    guard !source.rest.isEmpty, let file else { return false }
    let full = Self.blockRunCount * Self.runByteCount + Self.checksumByteCount
    let count = min(full, Int(source.rest.upperBound - source.rest.lowerBound))
    var bytes = [UInt8](repeating: 0, count: count)
    try file.read(into: &bytes, count: count, at: source.rest.lowerBound)
    let end = count - Self.checksumByteCount
    guard
      CRC32C.checksum(of: bytes.bytes.extracting(0..<end))
        == bytes.bytes.littleEndian(at: end, as: UInt32.self)
    else { throw Failure(changedAfterWriting: file.path) }
    source.block =
      stride(from: 0, to: end, by: Self.runByteCount).map { offset in
        Run(decoding: bytes.bytes, at: offset)
      }[...]
    source.rest = source.rest.lowerBound + UInt64(count)..<source.rest.upperBound
    return true
  }

  private static func precedes(_ left: Source, _ right: Source) -> Bool {
    guard let first = left.block.first, let second = right.block.first else { return false }
    return first.place < second.place
  }

  private static func rise(_ heap: inout [Source], _ start: Int) {
    var index = start
    while index > 0, precedes(heap[index], heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  private static func sink(_ heap: inout [Source]) {
    var index = 0
    while 2 * index + 1 < heap.count {
      var child = 2 * index + 1
      if child + 1 < heap.count, precedes(heap[child + 1], heap[child]) { child += 1 }
      guard precedes(heap[child], heap[index]) else { return }
      heap.swapAt(index, child)
      index = child
    }
  }
}

extension RunTable.Run {
  /// 40 bytes, little-endian but for the key.
  fileprivate func encode(into bytes: inout [UInt8]) {
    firstKey.encode(into: &bytes)
    bytes.append(shard)
    bytes.append(0)
    bytes.appendLittleEndian(checksum)
    bytes.appendLittleEndian(offset)
    bytes.appendLittleEndian(byteCount)
    bytes.appendLittleEndian(pageCount)
  }

  fileprivate init(decoding bytes: RawSpan, at offset: Int) {
    firstKey = Key(decoding: bytes, at: offset)
    shard = bytes.littleEndian(at: offset + Key.byteCount)
    checksum = bytes.littleEndian(at: offset + 20)
    self.offset = bytes.littleEndian(at: offset + 24)
    byteCount = bytes.littleEndian(at: offset + 32)
    pageCount = bytes.littleEndian(at: offset + 36)
  }
}
