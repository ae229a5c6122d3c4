import Testing

@testable import Backup
@testable import import_backup

/// Goal: the progress line shows what is known, and fits into any window.
struct ProgressLineTests {
  private let member = "base/16384/16397.1"

  /// Method: half of a backup of known size, and the same of unknown size.
  @Test func text() {
    let half = ImportProgress(
      inputBytesRead: 1 << 30, inputByteCount: 2 << 30, outputBytesWritten: 300 << 20,
      member: member)
    #expect(
      ProgressLine.text(half, seconds: 8, columns: 200)
        == "50%  1.0 GiB of 2.0 GiB  128.0 MiB/s  0:08 left  300.0 MiB written  \(member)")
    let unknown = ImportProgress(
      inputBytesRead: 1 << 30, inputByteCount: nil, outputBytesWritten: 0, member: member)
    #expect(
      ProgressLine.text(unknown, seconds: 8, columns: 200)
        == "1.0 GiB  128.0 MiB/s  0 bytes written  \(member)")
  }

  /// Method: half of an input is read in 100 seconds, then another input starts.
  @Test func nextInput() {
    var progress = ImportProgress(
      inputBytesRead: 0, inputByteCount: 2000, outputBytesWritten: nil, member: "")
    let start = ContinuousClock.now
    var clock = InputClock(start)
    let seconds = [(0, 0), (1000, 100), (10, 101), (20, 103)].map { read, second in
      progress.inputBytesRead = UInt64(read)
      return clock.seconds(at: start + .seconds(second), for: progress)
    }
    #expect(seconds == [0, 100, 0, 2])
  }

  /// Method: extreme numbers, and more bytes read than announced, as with a file that grows.
  @Test func extremes() {
    for (read, total) in [(0, nil), (0, 0), (5, 3), (UInt64.max, UInt64.max), (1, UInt64.max)]
      as [(UInt64, UInt64?)]
    {
      for seconds in [0, 1e-300, 1, 1e300] {
        let progress = ImportProgress(
          inputBytesRead: read, inputByteCount: total, outputBytesWritten: .max, member: "")
        let text = ProgressLine.text(progress, seconds: seconds, columns: 1000)
        #expect(!text.contains("101%"))
        #expect(text.contains("16.0 EiB written"))
      }
    }
  }

  /// Method: windows of every width, and a name with letters that are two columns wide.
  @Test func widths() {
    let progress = ImportProgress(
      inputBytesRead: 1, inputByteCount: nil, outputBytesWritten: 1,
      member: String(repeating: "木", count: 100))
    for columns in 0...150 {
      let text = ProgressLine.text(progress, seconds: 1, columns: columns)
      let width = text.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 2) }
      #expect(width <= columns && width >= columns - 1)
    }
  }
}
