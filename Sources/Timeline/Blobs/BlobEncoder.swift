import CZstd
import LayerFormat
import PostgresFormat
import System

/// Makes blobs of values, one at a time, each as it would be alone, with one reused context.
///
/// ```
/// 0      4               4 + plain length
/// ├──────┼───────────────┤
/// │header│ plain value   │   a slot before …
/// ├──────┼────────┬──────┘
/// │header│ zstd   │          … and after: the blob, at the slot's beginning or before it
/// └──────┴────────┘
/// ```
///
/// The same value gives the same bytes whatever came before it. (Neon, `blob_io.rs`:
/// a value is stored compressed only if that makes it smaller; level 1)
@safe
package struct BlobEncoder: ~Copyable {
  // Invariant: the context is created in `init`, freed in `deinit`, and used by no one else.
  private let context: OpaquePointer
  private let level: Int32
  private var scratch: [UInt8]
  /// Empty until it is needed first.
  private var blobOfZeros: [UInt8] = []

  /// The longest value that `compress(_:)` takes at once without growing its scratch memory.
  private static let pageValueByteCount = 8192 + DeltaValue.imageHeaderByteCount

  /// A context for a zstd level, which may be negative; 0 stores every value plain.
  package init(level: Int32) throws(Failure) {
    guard let context = unsafe ZSTD_createCCtx() else {
      throw Failure(.outOfMemory, "cannot compress: out of memory")
    }
    unsafe self.context = context
    self.level = level
    scratch = [UInt8](repeating: 0, count: Self.pageValueByteCount)
  }

  deinit { unsafe _ = ZSTD_freeCCtx(context) }

  /// Makes a blob of the value in `bytes`, which follows space for a long header.
  ///
  /// `slot` is the room and the value; the blob is put at `target`, which must not be after
  /// the slot's start. Returns the blob's length, at most the slot's. The value must be at least
  /// 128 bytes long, so that its header is a long one.
  package mutating func makeBlob(
    in bytes: inout MutableRawSpan, slot: Range<Int>, target: Int
  ) throws(Failure) -> Int {
    let header = BlobHeader.longByteCount
    precondition(target <= slot.lowerBound && slot.count >= header + BlobHeader.shortLimit)
    let plain = slot.lowerBound + header..<slot.upperBound
    if plain.count == WrappedPage.byteCount {
      return try makeBlobOfWrappedPage(in: &bytes, plain: plain, target: target)
    }
    let compressedByteCount = try compress(bytes.bytes.extracting(plain))
    if let compressedByteCount {
      bytes.copy(scratch.bytes.extracting(0..<compressedByteCount), to: target + header)
    } else if target != slot.lowerBound {
      bytes.move(plain, to: target + header)
    }
    return Self.storeHeader(
      in: &bytes, at: target, plain: plain.count, compressed: compressedByteCount)
  }

  /// Makes a blob of a page with a value's header, which can be taken off again.
  private mutating func makeBlobOfWrappedPage(
    in bytes: inout MutableRawSpan, plain: Range<Int>, target: Int
  ) throws(Failure) -> Int {
    let start = target + BlobHeader.longByteCount
    let page = plain.lowerBound + DeltaValue.imageHeaderByteCount..<plain.upperBound
    var compressedByteCount: Int?
    if let byteCount = try compress(bytes.bytes.extracting(page)),
      byteCount + WrappedPage.extraByteCount < plain.count
    {
      WrappedPage.storeFrame(
        around: scratch.bytes.extracting(0..<byteCount), in: &bytes, at: start)
      compressedByteCount = byteCount + WrappedPage.extraByteCount
    } else if start != plain.lowerBound {
      bytes.move(plain, to: start)
    }
    return Self.storeHeader(
      in: &bytes, at: target, plain: plain.count, compressed: compressedByteCount)
  }

  /// Makes a blob of a value from elsewhere: at `target`, where there must be space for a
  /// long header and the value. As the other in all else.
  package mutating func makeBlob(
    of value: RawSpan, in bytes: inout MutableRawSpan, at target: Int
  ) throws(Failure) -> Int {
    precondition(value.byteCount >= BlobHeader.shortLimit)
    let start = target + BlobHeader.longByteCount
    var room = bytes._mutatingExtracting(start..<start + value.byteCount)
    let compressedByteCount = try compress(value, into: &room)
    if compressedByteCount == nil { room.copy(value, to: 0) }
    return Self.storeHeader(
      in: &bytes, at: target, plain: value.byteCount, compressed: compressedByteCount)
  }

  /// Makes a blob of a page of zeros, as the other would: a copy of the first one.
  package mutating func makeBlobOfZeros(
    in bytes: inout MutableRawSpan, at target: Int
  ) throws(Failure) -> Int {
    if blobOfZeros.isEmpty {
      let page = [UInt8](repeating: 0, count: PageHeader.pageByteCount)
      var blob: [UInt8] = []
      try appendBlob(of: page.bytes, to: &blob)
      blobOfZeros = blob
    }
    bytes.copy(blobOfZeros.bytes, to: target)
    return blobOfZeros.count
  }

  /// Stores the header of a blob, and returns the blob's length.
  private static func storeHeader(
    in bytes: inout MutableRawSpan, at target: Int, plain: Int, compressed: Int?
  ) -> Int {
    let header = BlobHeader(byteCount: compressed ?? plain, isCompressed: compressed != nil)
    bytes.storeBigEndian(header.long, at: target)
    return BlobHeader.longByteCount + header.byteCount
  }

  /// Appends the blob of a value of any length, its header included.
  package mutating func appendBlob(of value: RawSpan, to blob: inout [UInt8]) throws(Failure) {
    if value.byteCount >= BlobHeader.shortLimit, let byteCount = try compress(value) {
      BlobHeader(byteCount: byteCount, isCompressed: true).encode(into: &blob)
      blob += scratch[..<byteCount]
    } else {
      BlobHeader(byteCount: value.byteCount, isCompressed: false).encode(into: &blob)
      blob.append(value)
    }
  }

  /// Compresses into the scratch memory; nil if that does not make the value smaller.
  private mutating func compress(_ value: RawSpan) throws(Failure) -> Int? {
    var scratch = Swift.exchange(&self.scratch, with: [])
    defer { self.scratch = scratch }
    if scratch.count < value.byteCount {
      scratch = [UInt8](repeating: 0, count: value.byteCount)
    }
    return try scratch.withMutableBytes { scratch throws(Failure) in
      try compress(value, into: &scratch)
    }
  }

  /// Compresses to the front of `target`, which is as long as the value or longer; nil if that
  /// does not make the value smaller.
  private func compress(
    _ value: RawSpan, into target: inout MutableRawSpan
  ) throws(Failure) -> Int? {
    guard level != 0 else { return nil }
    // As much room as the value takes, wherever it goes: the same value gives the same bytes.
    // Invariant: both buffers are lent for the call, with their lengths; the context is ours alone.
    let result = unsafe target.withUnsafeMutableBytes { target in
      unsafe value.withUnsafeBytes { source in
        unsafe ZSTD_compressCCtx(
          context, target.baseAddress, source.count, source.baseAddress, source.count, level)
      }
    }
    if ZSTD_isError(result) != 0 {
      guard ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall else {
        throw Failure(.bug, "zstd cannot compress a value of \(value.byteCount) bytes")
      }
      return nil
    }
    return result < value.byteCount ? result : nil
  }
}
