/// A stage that gives bytes in order: a file, or what a decompressor makes of one.
///
/// One owner at a time calls it, from whichever thread. After an error or the end it gives nothing
/// more: it is not called again.
public protocol ByteSource: AnyObject {
  /// Appends bytes to `output` until it is full or the source has no more.
  ///
  /// May block. A source that leaves room in `output` is at its end, and one that appends nothing
  /// was there before; every check that its end allows (length, checksum, completeness) has passed
  /// by then.
  func fill(_ output: inout OutputRawSpan) throws(Failure)
}
