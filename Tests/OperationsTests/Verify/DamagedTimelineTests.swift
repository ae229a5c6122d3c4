import Foundation
import LayerFormat
import TestSupport
import Testing

@testable import Operations
@testable import System
@testable import Timeline

/// A damaged timeline is never found sound, and nothing in it makes the program crash.
@Suite struct DamagedTimelineTests {
  private static let indexName = "index_part.json-00000001"

  private static func shape(_ options: inout ImportOptions) {
    options.smallRelationSize = 32 << 10
  }

  /// Why a timeline is not sound; nil where it is found to be.
  private static func complaint(
    _ sample: VerifySample, against: Bool = false
  ) async throws -> String? {
    do {
      let summary = try await sample.verify(against: against)
      return summary.findingCount == 0
        ? nil : summary.findings.map(\.message).joined(separator: "\n")
    } catch let error as Failure {
      guard [.damaged, .cannotOpen, .unsupported].contains(error.exitCode) else { throw error }
      return error.message
    }
  }

  /// Goal: a byte that is wrong anywhere but in a page's own bytes is found without the backup.
  /// Method: flip bits in the summary, every field of the tree's nodes, the padding, and headers of
  /// blobs, of one layer of each kind.
  @Test func structure() async throws {
    let sample = try await VerifySample.make(Self.shape)
    let names = try sample.layers()
    for name in [names[0], names[names.count - 1]] {
      let bytes = try sample.read(name)
      for offset in try Self.structuralOffsets(of: name, bytes, in: sample) {
        var damaged = bytes
        damaged[offset] ^= 0x11
        try sample.write(damaged, to: name)
        #expect(try await Self.complaint(sample) != nil, "\(name) at \(offset)")
      }
      try sample.write(bytes, to: name)
    }
    #expect(try await Self.complaint(sample) == nil)
  }

  private static func structuralOffsets(
    of name: String, _ bytes: [UInt8], in sample: VerifySample
  ) throws -> [Int] {
    let parsed = try #require(LayerName.parse(fileName: name)?.0)
    let file = try LayerFile(path: sample.path + "/" + name, name: parsed)
    var offsets = [0, 1, 2, 3, 4, 20, 36, 50, 54, 72, 79, 80, 83, 87, 95, 100, 8191]
    let index = Int(file.indexOffset)
    for node in stride(from: index, to: bytes.count, by: 8192) {
      offsets += [0, 1, 2, 3, 4, 5, 20, 100].map { node + $0 } + [node + 8191]
    }
    var cursor = try LayerIndexCursor(file)
    var blobs: [Int] = []
    while let entry = try cursor.next() { blobs.append(Int(entry.offset)) }
    offsets += [0, blobs.count / 2, blobs.count - 1].map { blobs[$0] }
    if bytes[index - 1] == 0 && !index.isMultiple(of: 8192) { offsets.append(index - 1) }
    return offsets
  }

  /// Goal: any byte that is wrong is found with the backup. Method: flip a bit at random places of
  /// each layer, with a fixed seed.
  @Test func anywhere() async throws {
    let sample = try await VerifySample.make(Self.shape)
    var generator = SeededGenerator(state: 7)
    for name in try sample.layers() {
      let bytes = try sample.read(name)
      for _ in 0..<8 {
        let offset = Int.random(in: 0..<bytes.count, using: &generator)
        let bit = UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
        var damaged = bytes
        damaged[offset] ^= bit
        try sample.write(damaged, to: name)
        let complaint = try await Self.complaint(sample, against: true)
        #expect(complaint != nil, "\(name) at \(offset), bit \(bit), seed 7")
      }
      try sample.write(bytes, to: name)
    }
  }

  /// Goal: a byte of the index that is wrong is found. Method: change every fifth one in turn.
  @Test func index() async throws {
    let sample = try await VerifySample.make(Self.shape)
    let bytes = try sample.read(Self.indexName)
    for offset in stride(from: 0, to: bytes.count, by: 5) {
      var damaged = bytes
      damaged[offset] ^= 1
      try sample.write(damaged, to: Self.indexName)
      #expect(try await Self.complaint(sample) != nil, "at \(offset)")
    }
  }

  /// Goal: an index that says something else than the layers is found, and so is its reason.
  /// Method: change one field at a time, then verify.
  @Test(arguments: [
    (#""version":15"#, #""version":14"#, "index version 14"),
    (#""file_size":"#, #""file_size":1"#, "bytes, but the index says"),
    (#""generation":1"#, #""generation":2"#, "is missing"),
    (#""pg_version":15"#, #""pg_version":16"#, "the index says 16"),
    (#""initdb_lsn":"0/215ACF0"#, #""initdb_lsn":"0/215ACF8"#, "differ, but nothing"),
    (#""latest_gc_cutoff_lsn":"0/215ACF0"#, #""latest_gc_cutoff_lsn":"0/215ACF1"#, "multiple of 8"),
    (
      #""prev_record_lsn":"0/215ACF0"#, #""prev_record_lsn":"0/215ACE8"#,
      "prev_record_lsn 0/215ACE8"
    ),
    (#""disk_consistent_lsn":"0/215AD68"#, #""disk_consistent_lsn":"0/215AD60"#, "0/215AD60"),
    (#""disk_consistent_lsn":"0/215AD68"#, #""disk_consistent_lsn":"0/215AD70"#, "0/215AD70"),
    (#""ancestor_lsn":"0/0""#, #""ancestor_lsn":"0/8""#, "ancestor_lsn"),
    (#","prev_record_lsn":"0/215ACF0""#, "", "'prev_record_lsn' of the index is missing"),
  ]) func wrongIndex(old: String, new: String, message: String) async throws {
    let sample = try await VerifySample.make(Self.shape)
    let text = String(decoding: try sample.read(Self.indexName), as: UTF8.self)
    let changed = text.replacingOccurrences(of: old, with: new)
    #expect(changed != text)
    try sample.write(Array(changed.utf8), to: Self.indexName)
    let complaint = try #require(try await Self.complaint(sample))
    #expect(complaint.contains(message), "\(complaint)")
  }

  /// Goal: one of the two ends of the index alone is damage as well.
  @Test func twoEnds() async throws {
    let sample = try await VerifySample.make(Self.shape)
    var text = String(decoding: try sample.read(Self.indexName), as: UTF8.self)
    let range = try #require(text.range(of: "0/215AD68"))
    text.replaceSubrange(range, with: "0/215AD70")
    try sample.write(Array(text.utf8), to: Self.indexName)
    #expect(try await Self.complaint(sample)?.contains("differ") == true)
  }

  /// Goal: whole files that are wrong are found, by name. Method: remove, truncate, lengthen, swap
  /// and add files.
  @Test func files() async throws {
    let sample = try await VerifySample.make(Self.shape)
    let names = try sample.layers()
    let before = try names.map { try sample.read($0) }
    #expect(names.count > 3)
    for (name, bytes) in zip(names, before) {
      try FileManager.default.removeItem(atPath: sample.path + "/" + name)
      #expect(try await Self.complaint(sample)?.contains("layer '\(name)' is missing") == true)
      for wrong in [[], Array(bytes.dropLast(8192)), Array(bytes.dropLast(1)), bytes + bytes] {
        try sample.write(wrong, to: name)
        #expect(try await Self.complaint(sample)?.contains(name) == true)
      }
      try sample.write(bytes, to: name)
    }
    try sample.write(before[1], to: names[0])
    try sample.write(before[0], to: names[1])
    let complaint = try #require(try await Self.complaint(sample))
    #expect(complaint.contains(names[0]) && complaint.contains(names[1]))
    try sample.write(before[0], to: names[0])
    try sample.write(before[1], to: names[1])
    for extra in ["notes.txt", "layer-1.import-temp"] {
      try sample.write([1], to: extra)
      #expect(try await Self.complaint(sample) == "'\(extra)' is not listed in the index")
      try FileManager.default.removeItem(atPath: sample.path + "/" + extra)
    }
    // The index of a former generation is no finding.
    try sample.write([1], to: "index_part.json-00000000")
    #expect(try await Self.complaint(sample) == nil)
  }

  /// Goal: a timeline in another tenant's place is found.
  @Test func misplaced() async throws {
    let sample = try await VerifySample.make(Self.shape)
    let other = sample.path.replacingOccurrences(
      of: "/timelines/2", with: "/timelines/3")
    try FileManager.default.moveItem(atPath: sample.path, toPath: other)
    let moved = VerifySample(directory: sample.directory, path: other)
    #expect(try await Self.complaint(moved)?.contains("it belongs to timeline 2222") == true)
  }
}
