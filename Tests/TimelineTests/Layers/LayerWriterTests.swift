import Foundation
import LayerFormat
import PostgresFormat
import TestSupport
import Testing

@testable import System
@testable import Timeline

/// The writer's states: open, failed, finished.
@Suite struct LayerWriterTests {
  private static let key = Key(0, 1663, 5, 16384, 0, 1)
  private static let name = LayerName(
    keys: key..<key.next, extent: .image(at: ImportedLSN.image))

  private static func writer(to path: String) throws -> LayerWriter {
    try writer(to: OutputFile(creating: path, mode: 0o600))
  }

  /// One that writes to a device, which is there already.
  private static func writer(toDevice name: String) throws -> LayerWriter {
    try writer(
      to: OutputFile(
        SystemCalls.open("/dev/" + name, O_RDWR), name, in: DirectoryHandle(path: "/dev")))
  }

  private static func writer(to file: OutputFile) throws -> LayerWriter {
    LayerWriter(file: file, of: LayerOwner(tenant: .random(), timeline: .random()), valuesAt: nil)
  }

  /// Goal: after an error every later call fails with it, even one that would succeed by itself.
  /// Method: a long blob to a device that is always full; then a short one, which would only be
  /// buffered; then `finish`.
  @Test func firstErrorStays() throws {
    var writer = try Self.writer(toDevice: "full")
    let long = [UInt8](repeating: 1, count: 1 << 20)
    let first = #expect(throws: Failure.self) { try writer.append(long.bytes, for: Self.key) }
    #expect(first?.exitCode == .inputOutput)
    let second = #expect(throws: Failure.self) {
      try writer.append([1, 7].bytes, for: Self.key.next)
    }
    let last = #expect(throws: Failure.self) { _ = try writer.finish(as: Self.name) }
    #expect(second?.message == first?.message && last?.message == first?.message)
  }

  /// Goal: a layer that does not read back is not finished. Method: devices that accept every
  /// write and return nothing, or zeros.
  @Test(arguments: [
    ("null", "it is shorter than when it was written"),
    ("zero", "its contents changed after they were written: 0000 is not the magic number"),
  ]) func readBack(device: String, message: String) throws {
    var writer = try Self.writer(toDevice: device)
    try writer.append([1, 7].bytes, for: Self.key)
    let error = #expect(throws: Failure.self) { _ = try writer.finish(as: Self.name) }
    #expect(error?.exitCode == .inputOutput)
    #expect(error?.message.hasPrefix("cannot read '/dev/\(device)': \(message)") == true)
  }

  /// Goal: a name that does not cover the keys is found before the layer is renamed. Method: values
  /// before the name's range, within it and after it.
  @Test(arguments: [-1, 0, 1]) func keysOutsideOfName(distance: Int) throws {
    let directory = try TemporaryDirectory()
    var writer = try Self.writer(to: directory.path + "/layer")
    let key = Key(0, 1663, 5, 16384, 0, UInt32(Int(Self.key.field6) + distance))
    try writer.append([1, 7].bytes, for: key)
    if distance == 0 {
      let layer = try writer.finish(as: Self.name)
      #expect(layer.byteCount == 3 * 8192)
      #expect(try LayerFile(path: layer.file.path, name: layer.name).entry(of: key) != nil)
    } else {
      let error = #expect(throws: Failure.self) { _ = try writer.finish(as: Self.name) }
      #expect(error?.message.contains("is outside the layer's range") == true)
    }
  }
}
