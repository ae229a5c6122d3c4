import Foundation

extension TestTar {
  /// Writes files, directories and symbolic links below `path`, which is created; other members are
  /// ignored.
  public func unpack(into path: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
    for member in members {
      let target = path + "/" + member.name
      let parent = URL(filePath: target).deletingLastPathComponent()
      try manager.createDirectory(at: parent, withIntermediateDirectories: true)
      switch member.type {
      case "5": try manager.createDirectory(atPath: target, withIntermediateDirectories: true)
      case "2":
        try manager.createSymbolicLink(atPath: target, withDestinationPath: member.linkTarget)
      case "0": try Data(member.contents).write(to: URL(filePath: target))
      default: break
      }
    }
  }
}
