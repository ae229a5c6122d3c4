import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

/// Timelines of valid layers that are too many, overlap, or have long values.
@Suite(.serialized) struct HostileWalkTests {
  private static let end: UInt64 = 0x100_0000

  /// Runs all commands that read timelines on a constructed one; each must end by itself.
  private static func run(
    _ sample: TimelineSample, codes: [String: Int32], memoryLimit: Int,
    script: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [ProgramRun] {
    var runs: [ProgramRun] = []
    for (command, code) in codes.sorted(by: { $0.key < $1.key }) {
      let (run, peak) = try await ProgramRun.measured(
        [command, sample.directory.path], script: script, timeLimit: Soak.timeLimit)
      #expect(
        run.exitCode == code, "\(command): \(run.error.prefix(1000))",
        sourceLocation: sourceLocation)
      expectPeak(peak, below: memoryLimit << 10, command, sourceLocation: sourceLocation)
      runs.append(run)
    }
    return runs
  }

  private static func key(_ block: UInt32) -> Key { Key(0, 1663, 5, 16384, 0, block) }

  /// Goal: a value that is damaged, behind a long one of the same key in the same layer, is an
  /// error and no more. Method: two images of one key, of 3 MiB and of two bytes, and a wrong
  /// header at the second.
  @Test func damagedBehindLongValue() async throws {
    let sample = try TimelineSample()
    let name = LayerName(keys: Self.key(0)..<Self.key(9), extent: TimelineSample.lsns(0x10..<0x40))
    let long = [UInt8](repeating: 7, count: 3 << 20)
    try sample.add(
      name,
      [(Self.key(1), 0x10, .image(long)), (Self.key(1), 0x20, .image([1, 2]))])
    try sample.finish(end: Self.end)
    let file = try FileHandle(
      forUpdating: URL(filePath: sample.directory.path + "/" + name.fileName(generation: 1)))
    // After the summary: the header of the first blob, and the wrapping of its value.
    try file.seek(toOffset: UInt64(8192 + 4 + 12 + long.count))
    try file.write(contentsOf: Data([0xF0]))
    try file.close()
    let runs = try await Self.run(
      sample, codes: ["verify": 1, "inspect": 65], memoryLimit: 96)
    #expect(runs.allSatisfy { $0.error.contains("unknown compression 7") })
  }

  /// Goal: long values in many layers do not add up in memory. Method: 40 overlapping layers, each
  /// with a value of 8 MiB for its own key, and for a common key.
  @Test func longValues() async throws {
    let sample = try TimelineSample()
    let long = [UInt8](repeating: 7, count: 8 << 20)
    for number in 0..<40 as Range<UInt32> {
      let start = 0x10 + UInt64(number) * 8
      try sample.add(
        LayerName(
          keys: Self.key(0)..<Self.key(1000), extent: TimelineSample.lsns(start..<start + 8)),
        [
          (Self.key(1 + number), start, .image(long)), (Self.key(500), start, .image(long)),
          (Self.key(501), start, .image([1])),
        ])
    }
    try sample.finish(end: Self.end)
    _ = try await Self.run(
      sample, codes: ["verify": 1, "inspect": 0], memoryLimit: 192)
  }

  /// Goal: thousands of overlapping layers are read, or refused, in bounded memory and time.
  /// Method: 400 delta and 400 image layers (`IMPORT_BACKUP_SOAK`: 2,000) over the same keys; then
  /// with a limit of open files below the number of layers.
  @Test func manyLayers() async throws {
    let sample = try TimelineSample()
    let range = Self.key(0)..<Self.key(1000)
    for number in 0..<(Soak.isOn ? 2000 : 400) as Range<UInt32> {
      let start = 0x10 + UInt64(number) * 16
      let values: [(Key, UInt64)] = (0..<4).map { (Self.key(number % 200 + $0 * 200), start) }
      try sample.add(
        LayerName(keys: range, extent: TimelineSample.lsns(start..<start + 8)),
        values.map { ($0, $1, .image([1])) })
      try sample.add(
        LayerName(keys: range, extent: .image(at: LogSequenceNumber(rawValue: start + 8))),
        values.map { ($0, $1, .image([1])) })
    }
    try sample.finish(end: Self.end)
    _ = try await Self.run(
      sample, codes: ["verify": 1, "inspect": 0], memoryLimit: Soak.isOn ? 256 : 96)
    let runs = try await Self.run(
      sample, codes: ["verify": 66], memoryLimit: 256, script: #"ulimit -n 300; exec "$@""#)
    #expect(runs.allSatisfy { $0.error.contains("Too many open files") })
  }
}
