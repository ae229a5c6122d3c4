import LayerFormat
import PostgresFormat
import System

/// The blocks of all main forks that replay touches.
///
/// ```
/// pieces    the bits of 512 blocks each, in memory, as they are noted
/// file      when these are too many: the pieces of a segment side by side, where it has a slot
///           slot 0          slot 1          …
///           256 pieces      256 pieces
/// ```
///
/// A piece that is asked for again is read back, so that memory is a cache of the file, and is emptied into
/// it as a whole. What was never written is a hole. A disk that fails tells nobody: what is read back must
/// have the checksum of what was written.
///
/// Memory: `memoryLimit` and 40 bytes for each segment that is in the file.
final class TouchedTable: @unchecked Sendable {
  // Invariant: used by one thread at a time, as `SkeletonPages` is.

  typealias Relation = ReplayPlan.Relation

  private struct Segment: Hashable {
    var relation: Relation
    var number: UInt32
  }

  private var relations: [Relation: TouchedBlocks] = [:]
  /// What they take, in pieces.
  private var weight = 0
  private let weightLimit: Int
  private let makeFile: () throws(Failure) -> OutputFile
  private var file: OutputFile?
  private var slots: [Segment: UInt32] = [:]
  private var buffer: [UInt8] = []

  /// The bytes of a piece in memory, with its share of tables that grow, and a relation's in pieces.
  private static let pieceMemory = 160
  private static let relationWeight = 2
  private static let piecesPerSegment = RelationSegment.blockCount / TouchedBlocks.pieceBlockCount
  /// The bits, and their CRC-32C.
  private static let pieceByteCount = 68
  private static let slotByteCount = UInt64(piecesPerSegment) * UInt64(pieceByteCount)

  /// An empty table; `makeFile` makes a file whose name it removes, once memory does not hold it all.
  init(
    memoryLimit: Int = .max, makeFile: @escaping () throws(Failure) -> OutputFile
  ) {
    weightLimit = max(memoryLimit / Self.pieceMemory, 2 * Self.relationWeight)
    self.makeFile = makeFile
  }

  /// Notes that a block is touched; false if it was before.
  func note(_ relation: Relation, _ block: UInt32) throws(Failure) -> Bool {
    let number = block / TouchedBlocks.pieceBlockCount
    if try !load(number, of: relation) { try insert(TouchedBlocks.Piece(), number, of: relation) }
    return relations[relation, default: TouchedBlocks()].note(block)
  }

  /// Whether a block is touched.
  func contains(_ relation: Relation, _ block: UInt32) throws(Failure) -> Bool {
    if file != nil, try !load(block / TouchedBlocks.pieceBlockCount, of: relation) { return false }
    return relations[relation]?.contains(block) == true
  }

  /// Has a piece in memory; false if there is none.
  private func load(_ number: UInt32, of relation: Relation) throws(Failure) -> Bool {
    if relations[relation]?.hasPiece(number) == true { return true }
    guard let piece = try readPiece(number, of: relation) else { return false }
    try insert(piece, number, of: relation)
    return true
  }

  private func insert(
    _ piece: TouchedBlocks.Piece, _ number: UInt32, of relation: Relation
  ) throws(Failure) {
    if weight >= weightLimit { try spill() }
    weight += relations[relation] == nil ? 1 + Self.relationWeight : 1
    relations[relation, default: TouchedBlocks()].set(piece, number)
  }

  /// Gives every run of touched blocks of a relation below `end`, in their order; a run ends at the end of
  /// a segment.
  func forEachRun(
    of relation: Relation, below end: UInt32, _ body: (Range<UInt32>) throws(Failure) -> Void
  ) throws(Failure) {
    guard end > 0 else { return }
    guard file != nil else {
      try relations[relation]?.forEachRun(below: end, body)
      return
    }
    for segment in 0...(end - 1) / RelationSegment.blockCount {
      let first = segment * Self.piecesPerSegment
      var blocks = TouchedBlocks()
      if let slot = slots[Segment(relation: relation, number: segment)] {
        try read(at: UInt64(slot) * Self.slotByteCount, byteCount: Int(Self.slotByteCount))
        for index in 0..<Self.piecesPerSegment {
          if let piece = try piece(at: Int(index) * Self.pieceByteCount) {
            blocks.set(piece, first + index)
          }
        }
      }
      relations[relation]?.forEachPiece(in: first..<first + Self.piecesPerSegment) {
        blocks.set($1, $0)
      }
      try blocks.forEachRun(below: end, body)
    }
  }

  // MARK: The file

  /// Moves all that is in memory to the file.
  private func spill() throws(Failure) {
    if file == nil {
      let made = try makeFile()
      try made.unlink()
      file = made
    }
    var places: [(offset: UInt64, piece: TouchedBlocks.Piece)] = []
    places.reserveCapacity(weight)
    for (relation, blocks) in relations {
      blocks.forEachPiece(in: 0..<UInt32.max) { number, piece in
        places.append((offset(ofPiece: number, of: relation), piece))
      }
    }
    places.sort { $0.offset < $1.offset }
    var bytes: [UInt8] = []
    for (offset, piece) in places {
      bytes.removeAll(keepingCapacity: true)
      for word in 0..<8 { bytes.appendLittleEndian(piece[word]) }
      bytes.appendLittleEndian(CRC32C.checksum(of: bytes.bytes))
      try file?.write(bytes.bytes, at: offset)
    }
    relations.removeAll(keepingCapacity: true)
    weight = 0
  }

  /// Where a piece is in the file, which has a slot for its segment from now on.
  private func offset(ofPiece number: UInt32, of relation: Relation) -> UInt64 {
    let segment = Segment(relation: relation, number: number / Self.piecesPerSegment)
    let slot = slots[segment] ?? UInt32(slots.count)
    slots[segment] = slot
    return UInt64(slot) * Self.slotByteCount
      + UInt64(number % Self.piecesPerSegment) * UInt64(Self.pieceByteCount)
  }

  /// A piece in the file; nil if it is not there.
  private func readPiece(
    _ number: UInt32, of relation: Relation
  ) throws(Failure) -> TouchedBlocks.Piece? {
    let segment = Segment(relation: relation, number: number / Self.piecesPerSegment)
    guard file != nil, slots[segment] != nil else { return nil }
    try read(at: offset(ofPiece: number, of: relation), byteCount: Self.pieceByteCount)
    return try piece(at: 0)
  }

  /// Reads so many bytes, zeros after the end of the file.
  private func read(at offset: UInt64, byteCount: Int) throws(Failure) {
    if buffer.count != byteCount { buffer = [UInt8](repeating: 0, count: byteCount) }
    let count = try file?.read(into: &buffer, at: offset) ?? 0
    for index in count..<byteCount { buffer[index] = 0 }
  }

  /// The piece in the buffer; nil for a hole.
  private func piece(at offset: Int) throws(Failure) -> TouchedBlocks.Piece? {
    let buffer = buffer  // a span cannot outlive the access to a class' property
    let bytes = buffer.bytes.extracting(offset..<offset + Self.pieceByteCount)
    let end = Self.pieceByteCount - 4
    let checksum: UInt32 = bytes.littleEndian(at: end)
    var piece = TouchedBlocks.Piece()
    for word in 0..<8 { piece[word] = bytes.littleEndian(at: 8 * word) }
    if piece == TouchedBlocks.Piece(), checksum == 0 { return nil }
    guard checksum == CRC32C.checksum(of: bytes.extracting(0..<end)) else {
      throw Failure(changedAfterWriting: file?.path ?? "")
    }
    return piece
  }
}
