import Foundation
import TestSupport
import Testing

@testable import Backup
@testable import System

/// A source over bytes in memory.
final class MemorySource: ByteSource {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  func fill(_ output: inout OutputRawSpan) throws(Failure) {
    let count = min(output.freeCapacity, bytes.count - position)
    // The span is of a constant, so that it lives long enough.
    let bytes = bytes
    let span = unsafe bytes.span.bytes
    output.append(span.extracting(position..<position + count))
    position += count
  }
}

/// One member of a tar, read to its end.
struct ReadMember: Equatable {
  var member: BackupMember
  var contents: [UInt8]
}

/// A tar writer of a few lines: plain ustar headers, with every field free to be wrong.
struct TarBuilder {
  var bytes: [UInt8] = []

  /// Appends a header and contents padded to a block; `sizeField` replaces the size's 12 bytes.
  mutating func add(
    _ name: String, type: Character = "0", contents: [UInt8] = [], sizeField: [UInt8]? = nil,
    linkName: String = ""
  ) {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: [UInt8], at offset: Int) {
      header.replaceSubrange(offset..<offset + text.count, with: text)
    }
    put(Array(name.utf8), at: 0)
    put(Array("0000600\0".utf8), at: 100)
    put(Array("0000000\0".utf8), at: 108)
    put(Array("0000000\0".utf8), at: 116)
    put(sizeField ?? Self.octal(contents.count), at: 124)
    put(Array("00000000000\0".utf8), at: 136)
    put(Array("        ".utf8), at: 148)
    put(Array(String(type).utf8), at: 156)
    put(Array(linkName.utf8), at: 157)
    put(Array("ustar\00000".utf8), at: 257)
    let sum = header.reduce(0) { $0 + Int($1) }
    put(Array(Self.octal(sum)[5..<11]) + [0, 0x20], at: 148)
    bytes += header + contents
    bytes += [UInt8](repeating: 0, count: -contents.count & 511)
  }

  /// Appends a pax extended header of one attribute for the next member.
  mutating func addPax(_ key: String, _ value: String) {
    let rest = " \(key)=\(value)\n".utf8.count
    var length = rest + 1
    while String(length).utf8.count + rest != length { length += 1 }
    add("PaxHeader", type: "x", contents: Array("\(length) \(key)=\(value)\n".utf8))
  }

  /// The archive with the two blocks that end it.
  var archive: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

  private static func octal(_ number: Int) -> [UInt8] {
    let digits = String(number, radix: 8)
    return Array((String(repeating: "0", count: 11 - digits.count) + digits + "\0").utf8)
  }
}

/// Fills an array from the current member, and gives how far it got.
func read(_ reader: any BackupSource, into array: inout [UInt8]) throws(Failure) -> Int {
  var span = array.mutableSpan
  // Invariant: every bit pattern is a UInt8.
  var bytes = unsafe span.mutableBytes
  return try reader.read(into: &bytes)
}

/// All members and their contents, read through a buffer of `bufferSize` bytes.
func readAll(
  _ reader: any BackupSource, bufferSize: Int = 100_000
) throws(Failure) -> [ReadMember] {
  var members: [ReadMember] = []
  var buffer = [UInt8](repeating: 0xEE, count: bufferSize)
  while let member = try reader.nextMember() {
    var contents: [UInt8] = []
    while true {
      let count = try read(reader, into: &buffer)
      contents += buffer[..<count]
      if count < bufferSize { break }
    }
    members.append(ReadMember(member: member, contents: contents))
  }
  return members
}

/// All members of a tar in memory.
func readAll(_ bytes: [UInt8], bufferSize: Int = 100_000) throws(Failure) -> [ReadMember] {
  try readAll(TarReader(source: MemorySource(bytes), name: "test"), bufferSize: bufferSize)
}

/// What reading `bytes` as a tar throws; nil where it is read to its end.
///
/// Members are read, or only stepped over.
func refusal(of bytes: [UInt8], readsContents: Bool = true) -> Failure? {
  do throws(Failure) {
    let reader = try TarReader(source: MemorySource(bytes), name: "test")
    if readsContents {
      _ = try readAll(reader)
    } else {
      while try reader.nextMember() != nil {}
    }
    return nil
  } catch {
    return error
  }
}

/// Runs a shell command with `input` on its standard input, and gives its standard output.
///
/// Fails the test when the command does.
func shell(_ command: String, input: [UInt8] = []) throws -> [UInt8] {
  let directory = try TemporaryDirectory()
  let inputPath = directory.path + "/in"
  let outputPath = directory.path + "/out"
  try Data(input).write(to: URL(filePath: inputPath))
  let process = Process()
  process.executableURL = URL(filePath: "/bin/sh")
  process.arguments = ["-c", "(\(command)) < '\(inputPath)' > '\(outputPath)'"]
  try process.run()
  process.waitUntilExit()
  try #require(process.terminationStatus == 0, "\(command) failed")
  return [UInt8](try Data(contentsOf: URL(filePath: outputPath)))
}
