import Foundation
import TestSupport
import Testing

@testable import System

/// What is written leaves free space, and takes none for zeros.
@Suite struct SpaceTests {
  /// Goal: a file system with less than the reserve ends the writing, once a step has been written,
  /// and not before. Method: a reserve that no file system has free, and one that every one has.
  @Test func reserve() throws {
    let directory = try TemporaryDirectory()
    let handle = try DirectoryHandle(path: directory.path)
    let none = SpaceReserve(handle, option: "--scratch", byteCount: .max)
    // The step is 64 MiB.
    try none.didWrite(64 << 20 - 1)
    let error = #expect(throws: Failure.self) { try none.didWrite(1) }
    #expect(error?.code == .noSpace)
    #expect(error?.message.contains("'\(directory.path)'") == true)
    #expect(error?.hint == "Free space there, or choose another directory with '--scratch'.")
    try none.didWrite(1)
    #expect(throws: Failure.self) { try none.check() }

    let small = SpaceReserve(handle, option: nil, byteCount: 1)
    for _ in 0..<200 { try small.didWrite(1 << 20) }
    try small.check()
    try SpaceReserve(handle, option: nil).check()
  }

  /// Goal: a file is written as it is, and pages of zeros take no room. Method: zeros and other bytes
  /// in every order, in pieces of several sizes.
  @Test(arguments: [1 << 20, 8192, 24576]) func holes(pieceSize: Int) throws {
    let directory = try TemporaryDirectory()
    for (number, pattern) in ["", "0", "1", "01", "10", "0110100", "00011", "1100000"].enumerated()
    {
      for tail in [0, 100] {
        var bytes = pattern.flatMap { [UInt8](repeating: $0 == "0" ? 0 : 7, count: 65536) }
        bytes += [UInt8](repeating: 0, count: tail)
        let path = directory.path + "/\(number)-\(tail)"
        let file = try OutputFile(creating: path, mode: 0o600)
        for start in stride(from: 0, to: bytes.count, by: pieceSize) {
          let piece = bytes.bytes.extracting(start..<min(start + pieceSize, bytes.count))
          try file.writePages(piece, at: UInt64(start))
        }
        try file.setByteCount(UInt64(bytes.count))
        try file.close()
        #expect(try Array(Data(contentsOf: URL(filePath: path))) == bytes)
        let blocks = try Shell.output("stat", "-c", "%b", path)
        let stored = (Int(String(decoding: blocks.dropLast(), as: UTF8.self)) ?? 0) * 512
        #expect(stored <= pattern.filter { $0 == "1" }.count * 65536 + 8192, "\(pattern)")
      }
    }
  }
}
