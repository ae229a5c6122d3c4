import Foundation
import TestSupport
import Testing

@testable import System

/// How many processors there are to be used.
@Suite struct ProcessorsTests {
  /// Goal: a container's share is understood, rounded up, and what is no share is none.
  @Test(
    arguments: [
      ("max 100000\n", nil), ("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000", 1),
      ("0 100000", 0), ("200000 0", nil), ("", nil), ("200000", nil), ("-1 100000", nil),
      ("99999999999999 100000", nil), ("4294967295 1", 4_294_967_295),
    ] as [(String, Int?)])
  func quota(text: String, count: Int?) {
    #expect(Processors.count(ofQuota: Array(text.utf8)) == count)
  }

  /// Goal: the kernel's files are read, whose length the kernel does not say.
  @Test func kernelFile() {
    let name = Processors.beginning(of: "/proc/self/cmdline")
    #expect(!name.isEmpty && name.count <= 256)
    #expect(Processors.beginning(of: "/proc/no/such/file").isEmpty)
  }

  /// Goal: processors that this process may not run on do not count. Method: the thread is bound to
  /// one of them, and let go again.
  @Test func affinity() throws {
    let link = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
    let thread = try #require(link.split(separator: "/").last.map(String.init))
    let status = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)
    let line = try #require(
      status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
    let all = try #require(line.split(separator: "\t").last.map(String.init))
    let first = String(all.prefix { $0.isNumber })
    _ = try Shell.output("taskset", "--pid", "--cpu-list", first, thread)
    defer { _ = try? Shell.output("taskset", "--pid", "--cpu-list", all, thread) }
    #expect(Processors.count == 1)
  }
}
