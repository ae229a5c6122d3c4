import Foundation
import TestSupport
import Testing

@testable import Pipeline
@testable import import_backup

/// Goal: what is said about progress is what is known, and fits into any window.
struct ProgressTextTests {
  private static let file = "base/16384/16397.1"

  private static func reading(
    _ amount: RunProgress.Amount, phase: RunProgress.Phase = .reading, rate: Double? = 128 * 0x1p20,
    left: Double? = 8, wait: (cause: ProgressMeter.WaitCause, seconds: Double)? = nil,
    item: String = file
  ) -> ProgressMeter.Reading {
    ProgressMeter.Reading(
      phase: phase, seconds: 70, phaseSeconds: 12, amount: amount, item: item, rate: rate,
      secondsLeft: left, wait: wait)
  }

  private static let half = RunProgress.Amount(done: 1 << 30, total: 2 << 30, written: 300 << 20)

  /// Method: half of a backup of known size, the same of unknown size, one that is waited for, one
  /// that is longer than announced, and a count of databases; in a wide window and in a log.
  @Test func text() {
    let known = Self.reading(Self.half)
    #expect(
      ProgressText.bar(known, columns: 200)
        == "reading 0:12  50%  1.0 GiB of 2.0 GiB  128.0 MiB/s  0:08 left  300.0 MiB written  "
        + Self.file)
    #expect(
      ProgressText.line(known)
        == "progress: reading 0:12, 50%, 1.0 GiB of 2.0 GiB, 128.0 MiB/s, 0:08 left, "
        + "300.0 MiB written, \(Self.file)")
    let unknown = Self.reading(RunProgress.Amount(done: 1 << 30), left: nil)
    #expect(
      ProgressText.bar(unknown, columns: 200)
        == "reading 0:12  1.0 GiB  128.0 MiB/s  \(Self.file)")
    let waiting = Self.reading(RunProgress.Amount(done: 1 << 30), wait: (.input, 72))
    #expect(
      ProgressText.bar(waiting, columns: 200)
        == "reading 0:12  1.0 GiB  waiting for input 1:12  \(Self.file)")
    let longer = Self.reading(RunProgress.Amount(done: 3 << 30, total: 2 << 30), item: "")
    #expect(ProgressText.bar(longer, columns: 200) == "reading 0:12  3.0 GiB  128.0 MiB/s")
    let databases = Self.reading(
      RunProgress.Amount(done: 1, total: 1200, unit: .databases), phase: .movingTablespaces,
      rate: 1, item: "")
    #expect(
      ProgressText.bar(databases, columns: 200)
        == "moving tablespaces 0:12  0%  1 of 1,200 databases")
    let nothing = Self.reading(
      RunProgress.Amount(), phase: .finishing, rate: nil, left: nil, item: "")
    #expect(ProgressText.line(nothing) == "progress: finishing 0:12")
  }

  /// Method: narrow windows keep what matters most.
  @Test func narrow() {
    let known = Self.reading(Self.half)
    #expect(
      ProgressText.bar(known, columns: 79)
        == "reading 0:12  50%  1.0 GiB of 2.0 GiB  128.0 MiB/s  0:08 left  ...16384/16397.1")
    #expect(ProgressText.bar(known, columns: 39) == "reading 0:12  50%  0:08 left")
    let waiting = Self.reading(RunProgress.Amount(done: 1 << 30), wait: (.input, 12))
    #expect(ProgressText.bar(waiting, columns: 39) == "reading 0:12  waiting for input 0:12")
    let fetching = Self.reading(
      RunProgress.Amount(done: 1 << 30), phase: .replaying, wait: (.writeAheadLog, 754),
      item: "LSN 0/5000028 of 0/6000000")
    #expect(ProgressText.bar(fetching, columns: 39) == "replaying 0:12  waiting for WAL 12:34")
    #expect(ProgressText.bar(known, columns: 5) == "readi")
  }

  /// Goal: the page about what is printed has every phase, for people and for scripts.
  @Test(arguments: RunProgress.Phase.allCases) func documented(phase: RunProgress.Phase) throws {
    let text = try String(contentsOfFile: Fixture.path("../../Docs/output.md"), encoding: .utf8)
    #expect(text.contains("`\(phase.words)`") && text.contains("`\(phase.rawValue)`"))
  }

  /// Method: windows of every width, and a name with letters that are two columns wide.
  @Test func widths() {
    let reading = Self.reading(Self.half, item: String(repeating: "木", count: 100))
    for columns in 0...150 {
      let text = ProgressText.bar(reading, columns: columns)
      let width = text.unicodeScalars.reduce(0) { $0 + ($1.isASCII ? 1 : 2) }
      #expect(width <= columns)
      if columns > 100 { #expect(width >= columns - 1) }
    }
  }

  /// Method: extreme numbers, in every form.
  @Test func extremes() throws {
    for (done, total) in [(0, nil), (0, 0), (5, 3), (.max, .max), (1, .max), (nil, 7)]
      as [(UInt64?, UInt64?)]
    {
      for rate in [0, 1e-300, 1e300] {
        var reading = Self.reading(
          RunProgress.Amount(done: done, total: total, written: .max), rate: rate, left: 1e300)
        reading.seconds = 1e300
        reading.phaseSeconds = -1
        #expect(!ProgressText.line(reading).contains("101%"))
        #expect(ProgressText.line(reading).contains("16.0 EiB written"))
        #expect(try SummaryOutput.json(ProgressEvent(reading)).contains("writtenByteCount"))
      }
    }
  }

  /// Method: the events that a script reads, word for word.
  @Test func events() throws {
    #expect(
      try SummaryOutput.json(ProgressEvent(Self.reading(Self.half)))
        == #"{"bytesPerSecond":134217728,"doneByteCount":1073741824,"event":"progress","#
        + #""item":"base/16384/16397.1","phase":"reading","phaseSeconds":12,"seconds":70,"#
        + #""secondsLeft":8,"totalByteCount":2147483648,"writtenByteCount":314572800}"#)
    let waiting = Self.reading(
      RunProgress.Amount(done: 1, total: 2, unit: .databases), phase: .movingTablespaces,
      wait: (.output, 2.25), item: "")
    #expect(
      try SummaryOutput.json(ProgressEvent(waiting))
        == #"{"doneDatabaseCount":1,"event":"progress","phase":"movingTablespaces","#
        + #""phaseSeconds":12,"seconds":70,"totalDatabaseCount":2,"waitingFor":"output","#
        + #""waitingSeconds":2.25}"#)
  }
}

/// Goal: rates are those of the last seconds, and a run that waits is known from one that works.
struct ProgressMeterTests {
  private let start = ContinuousClock.now

  private func sample(
    _ done: UInt64?, total: UInt64? = nil, isReading: Bool = false, isFetching: Bool = false
  ) -> RunProgress.Sample {
    RunProgress.Sample(
      phase: .reading, start: start,
      amount: RunProgress.Amount(
        done: done, total: total, isReading: isReading, isFetching: isFetching))
  }

  /// Method: 100 bytes a second for 100 seconds, then 10 a second: the rate follows within six
  /// seconds, the time left within half a minute.
  @Test func rate() throws {
    var meter = ProgressMeter(start: start)
    var done: UInt64 = 0
    for second in 1...100 {
      done += 100
      let reading = meter.add(sample(done, total: 20_000), at: start + .seconds(second))
      #expect(reading.rate == 100)
      #expect(reading.secondsLeft == Double(20_000 - done) / 100)
    }
    for second in 101...140 {
      done += 10
      let reading = meter.add(sample(done, total: 20_000), at: start + .seconds(second))
      let rate = try #require(reading.rate)
      let left = try #require(reading.secondsLeft)
      if second >= 105 { #expect(rate == 10) } else { #expect(rate > 10 && rate < 100) }
      if second >= 130 { #expect(left == Double(20_000 - done) / 10) }
    }
  }

  /// Method: many samples a second, and a pause of which nothing is remembered.
  @Test func manySamples() {
    var meter = ProgressMeter(start: start)
    for tick in 1...1000 {
      let reading = meter.add(sample(UInt64(tick)), at: start + .milliseconds(tick * 100))
      if tick >= 10, let rate = reading.rate { #expect(abs(rate - 10) < 0.001) }
    }
  }

  /// Method: nothing moves while the reader reads, then while it does not, then all goes on.
  @Test func waiting() {
    var meter = ProgressMeter(start: start)
    func wait(_ done: UInt64, _ isReading: Bool, at second: Int) -> Double? {
      meter.add(sample(done, isReading: isReading), at: start + .seconds(second)).wait?.seconds
    }
    #expect(wait(10, true, at: 1) == nil)
    #expect(wait(10, true, at: 2) == nil)
    #expect(wait(10, true, at: 13) == 12)
    #expect(wait(10, false, at: 14) == nil)
    #expect(wait(11, true, at: 15) == nil)
    #expect(wait(11, true, at: 18) == 3)
    let fetching = meter.add(sample(11, isFetching: true), at: start + .seconds(19)).wait
    #expect(fetching?.cause == .writeAheadLog && fetching?.seconds == 4)
  }

  /// Method: a second phase begins: nothing of the first counts.
  @Test func nextPhase() {
    var meter = ProgressMeter(start: start)
    _ = meter.add(sample(1000), at: start + .seconds(100))
    var next = sample(10)
    next.start = start + .seconds(101)
    let reading = meter.add(next, at: start + .seconds(103))
    #expect(reading.rate == 5)
    #expect(reading.phaseSeconds == 2)
    #expect(reading.seconds == 103)
  }
}
