/// A set of numbers, as of the blocks of one relation's main fork that replay touches.
///
/// Memory: 100 bytes for each 512 blocks of which one is touched, so a record takes no more than a few
/// times its own length.
struct TouchedBlocks: Equatable, Sendable {
  typealias Piece = SIMD8<UInt64>
  static let pieceBlockCount: UInt32 = 512

  /// Bits of 512 blocks, by their number; 64 blocks a word, the first in the lowest bit.
  private var pieces: [UInt32: Piece] = [:]

  /// Notes a reference to a block; false if there was one before.
  mutating func note(_ block: UInt32) -> Bool {
    let (word, bit) = Self.place(of: block)
    let old = pieces[block / Self.pieceBlockCount, default: Piece()][word]
    guard old & bit == 0 else { return false }
    pieces[block / Self.pieceBlockCount, default: Piece()][word] = old | bit
    return true
  }

  /// Whether there is a reference to the block.
  func contains(_ block: UInt32) -> Bool {
    let (word, bit) = Self.place(of: block)
    return pieces[block / Self.pieceBlockCount].map { $0[word] & bit != 0 } == true
  }

  /// How many pieces there are.
  var pieceCount: Int { pieces.count }

  /// The piece of this number; nil if there is none.
  func piece(_ number: UInt32) -> Piece? { pieces[number] }

  /// Puts a piece in the place of what there is of it.
  mutating func set(_ piece: Piece, _ number: UInt32) { pieces[number] = piece }

  /// Gives the pieces whose numbers are in a range, in any order.
  func forEachPiece(in numbers: Range<UInt32>, _ body: (UInt32, Piece) -> Void) {
    if numbers.count < pieces.count {
      for number in numbers {
        if let piece = pieces[number] { body(number, piece) }
      }
    } else {
      for (number, piece) in pieces where numbers.contains(number) { body(number, piece) }
    }
  }

  private static func place(of block: UInt32) -> (word: Int, bit: UInt64) {
    (Int(block % pieceBlockCount / 64), 1 << UInt64(block % 64))
  }

  /// Gives every run of touched blocks in a range, in their order.
  func forEachRun<Error: Swift.Error>(
    in blocks: Range<UInt32>, _ body: (Range<UInt32>) throws(Error) -> Void
  ) throws(Error) {
    guard let lastBlock = blocks.last else { return }
    var numbers: [UInt32] = []
    let range =
      blocks.lowerBound / Self.pieceBlockCount..<lastBlock / Self.pieceBlockCount + 1
    forEachPiece(in: range) { number, _ in numbers.append(number) }
    var run: Range<UInt32>?
    for number in numbers.sorted() {
      guard let piece = pieces[number] else { continue }
      for word in 0..<8 where piece[word] != 0 {
        for bit in 0..<64 as Range<UInt32> where piece[word] >> UInt64(bit) & 1 == 1 {
          let block = number * Self.pieceBlockCount + UInt32(word) * 64 + bit
          guard blocks.contains(block) else { continue }
          if let open = run, open.upperBound == block {
            run = open.lowerBound..<block + 1
          } else {
            if let run { try body(run) }
            run = block..<block + 1
          }
        }
      }
    }
    if let run { try body(run) }
  }
}
