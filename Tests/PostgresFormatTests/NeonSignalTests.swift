import Testing

@testable import PostgresFormat

struct NeonSignalTests {
  private func decode(_ text: String) throws(FormatError) -> NeonSignal {
    try [UInt8](text.utf8).withBytes { bytes throws(FormatError) in try NeonSignal.decode(bytes) }
  }

  /// Goal: the three forms are read and written. Method: each, with and without a newline.
  @Test(
    arguments: [
      ("PREV LSN: 0/5057110", .previous(lsn(0x505_7110))), ("PREV LSN: none", .none),
      ("PREV LSN: invalid", .invalid), ("PREV LSN: FF/1", .previous(lsn(0xFF_0000_0001))),
    ] as [(String, NeonSignal)])
  func forms(text: String, signal: NeonSignal) throws {
    #expect(try decode(text) == signal)
    #expect(try decode(text + "\n") == signal)
    #expect(String(decoding: signal.encode(), as: UTF8.self) == text)
  }

  /// Goal: only the first form has a record. Method: the values of the forms.
  @Test func previousRecord() {
    #expect(NeonSignal.previous(lsn(8)).previousRecord == lsn(8))
    #expect(NeonSignal.none.previousRecord == nil)
    #expect(NeonSignal.invalid.previousRecord == nil)
  }

  /// Goal: nothing else is read as a signal. Method: near misses.
  @Test(arguments: [
    "", "\n", "PREV LSN:", "PREV LSN: ", "PREV LSN: 0/0", "PREV LSN: 0/5057110\n\n", "none",
    "prev lsn: none", "PREV LSN: None", "PREV LSN: 0/-0", "PREV LSN: +1/5", "PREV LSN: 1/2/3",
    "PREV LSN: 0/123456789", " PREV LSN: none", "PREV LSN: 0/\u{FF11}",
    "PREV LSN: 0/5057110" + String(repeating: " ", count: 64),
  ])
  func nearMisses(text: String) {
    let error = #expect(throws: FormatError.self) { try decode(text) }
    #expect(error?.code == nil)
  }
}
