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
/// it as a whole. A disk that fails tells nobody: which pieces were written is remembered, and what is read
/// back must have the checksum of what was written.
///
/// Memory: `memoryLimit` and 100 bytes for each segment that is in the file.
final class TouchedTable: @unchecked Sendable {
  // Invariant: used by one thread at a time, as `SkeletonPages` is.

  typealias Relation = ReplayPlan.Relation

  private struct Segment: Hashable {
    var relation: Relation
    var number: UInt32
  }

  /// A segment's place in the file.
  private struct Slot {
    var number: UInt32
    /// Which pieces are there, a bit each.
    private var written = SIMD4<UInt64>()

    init(_ number: UInt32) { self.number = number }

    func hasPiece(_ index: UInt32) -> Bool {
      written[Int(index / 64)] >> UInt64(index % 64) & 1 == 1
    }

    mutating func addPiece(_ index: UInt32) {
      written[Int(index / 64)] |= 1 << UInt64(index % 64)
    }

    func offset(ofPiece index: UInt32) -> UInt64 {
      UInt64(number) * TouchedTable.slotByteCount + UInt64(index)
        * UInt64(TouchedTable.pieceByteCount)
    }
  }

  private var relations: [Relation: TouchedBlocks] = [:]
  /// What they take, in pieces.
  private var weight = 0
  private let weightLimit: Int
  private let makeFile: () throws(Failure) -> OutputFile
  private var file: OutputFile?
  private var slots: [Segment: Slot] = [:]
  private var buffer: [UInt8] = []

  /// The bytes of a piece in memory, with its share of tables that grow and of the list that a spill sorts,
  /// and a relation's in pieces.
  private static let pieceMemory = 224
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
    if relations[relation]?.piece(number) != nil { return true }
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

  /// Gives every run of touched blocks of a relation in a range, in their order; a run may end at the
  /// end of a segment.
  func forEachRun(
    of relation: Relation, in blocks: Range<UInt32>, _ body: (Range<UInt32>) throws(Failure) -> Void
  ) throws(Failure) {
    guard let lastBlock = blocks.last else { return }
    guard file != nil else {
      try relations[relation]?.forEachRun(in: blocks, body)
      return
    }
    let segments =
      blocks.lowerBound / RelationSegment.blockCount...lastBlock / RelationSegment.blockCount
    for segment in segments {
      let first = segment * Self.piecesPerSegment
      var found = TouchedBlocks()
      if let slot = slots[Segment(relation: relation, number: segment)] {
        try read(at: slot.offset(ofPiece: 0), byteCount: Int(Self.slotByteCount))
        for index in 0..<Self.piecesPerSegment where slot.hasPiece(index) {
          found.set(try piece(at: Int(index) * Self.pieceByteCount), first + index)
        }
      }
      relations[relation]?.forEachPiece(in: first..<first + Self.piecesPerSegment) {
        found.set($1, $0)
      }
      try found.forEachRun(in: blocks, body)
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
    var places: [(offset: UInt64, relation: Relation, number: UInt32)] = []
    for (relation, blocks) in relations {
      blocks.forEachPiece(in: 0..<UInt32.max) { number, _ in
        places.append((addPlace(ofPiece: number, of: relation), relation, number))
      }
    }
    places.sort { $0.offset < $1.offset }
    var bytes: [UInt8] = []
    for (offset, relation, number) in places {
      guard let piece = relations[relation]?.piece(number) else { continue }
      bytes.removeAll(keepingCapacity: true)
      for word in 0..<8 { bytes.appendLittleEndian(piece[word]) }
      bytes.appendLittleEndian(CRC32C.checksum(of: bytes.bytes))
      try file?.write(bytes.bytes, at: offset)
    }
    relations.removeAll(keepingCapacity: true)
    weight = 0
  }

  /// Where a piece is put in the file, which has a slot for its segment from now on.
  private func addPlace(ofPiece number: UInt32, of relation: Relation) -> UInt64 {
    let segment = Segment(relation: relation, number: number / Self.piecesPerSegment)
    let index = number % Self.piecesPerSegment
    var slot = slots[segment] ?? Slot(UInt32(slots.count))
    slot.addPiece(index)
    slots[segment] = slot
    return slot.offset(ofPiece: index)
  }

  /// A piece in the file; nil if it is not there.
  private func readPiece(
    _ number: UInt32, of relation: Relation
  ) throws(Failure) -> TouchedBlocks.Piece? {
    let segment = Segment(relation: relation, number: number / Self.piecesPerSegment)
    let index = number % Self.piecesPerSegment
    guard let slot = slots[segment], slot.hasPiece(index) else { return nil }
    try read(at: slot.offset(ofPiece: index), byteCount: Self.pieceByteCount)
    return try piece(at: 0)
  }

  /// Reads so many bytes, zeros after the end of the file.
  private func read(at offset: UInt64, byteCount: Int) throws(Failure) {
    if buffer.count != byteCount { buffer = [UInt8](repeating: 0, count: byteCount) }
    let count = try file?.read(into: &buffer, at: offset) ?? 0
    for index in count..<byteCount { buffer[index] = 0 }
  }

  /// The piece in the buffer.
  private func piece(at offset: Int) throws(Failure) -> TouchedBlocks.Piece {
    let buffer = buffer  // a span cannot outlive the access to a class' property
    let bytes = buffer.bytes.extracting(offset..<offset + Self.pieceByteCount)
    let end = Self.pieceByteCount - 4
    let checksum: UInt32 = bytes.littleEndian(at: end)
    var piece = TouchedBlocks.Piece()
    for word in 0..<8 { piece[word] = bytes.littleEndian(at: 8 * word) }
    // The checksum of zeros is not zero, so a hole is damage as well.
    guard checksum == CRC32C.checksum(of: bytes.extracting(0..<end)) else {
      throw Failure(changedAfterWriting: file?.path ?? "")
    }
    return piece
  }
}
