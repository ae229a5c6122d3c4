import Foundation
import TestSupport

/// A page of the documents, with the commands in it.
struct DocumentPage: Sendable, CustomStringConvertible {
  /// A fenced block.
  struct Block: Sendable {
    /// Where it begins, from 1.
    var line: Int
    /// What stands after the fence's backquotes: `sh` for commands.
    var language: String
    var text: String
    /// Why the test does not run it: the comment before it, `<!-- not run: … -->`.
    var reasonNotToRun: String?
  }

  /// Its path below the project's directory.
  var name: String
  var text: String
  var blocks: [Block]
  /// What links to its headings name them by.
  var anchors: Set<String>
  /// Lines with a comment that belongs to no block of commands.
  var strayComments: [Int]

  var description: String { name }

  /// The commands that are to be run.
  var commands: [Block] { blocks.filter { $0.language == "sh" && $0.reasonNotToRun == nil } }

  static let root = URL(filePath: #filePath).appending(path: "../../..").standardized.path

  /// `README.md`, and what lies in `Docs`.
  static let all: [DocumentPage] = {
    let names =
      (try? FileManager.default.contentsOfDirectory(atPath: root + "/Docs"))?
      .filter { $0.hasSuffix(".md") }.sorted().map { "Docs/" + $0 } ?? []
    return (["README.md"] + names).compactMap { name in
      (try? String(contentsOfFile: "\(root)/\(name)", encoding: .utf8))
        .map { DocumentPage(name, text: $0) }
    }
  }()

  /// Finds the blocks in a text. One in a list is indented, and so is its text.
  init(_ name: String, text: String) {
    self.name = name
    self.text = text
    blocks = []
    anchors = []
    strayComments = []
    var comment: (line: Int, reason: String)?
    var block: Block?
    var indentation = 0
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let trimmed = line.drop { $0 == " " }
      if block != nil {
        if trimmed == "```" {
          if let block { blocks.append(block) }
          block = nil
        } else {
          block?.text += line.dropFirst(min(indentation, line.count - trimmed.count)) + "\n"
        }
      } else if trimmed.hasPrefix("```") {
        indentation = line.count - trimmed.count
        block = Block(
          line: index + 1, language: String(trimmed.dropFirst(3)), text: "",
          reasonNotToRun: comment?.reason)
        if let comment, block?.language != "sh" { strayComments.append(comment.line) }
        comment = nil
      } else if let heading = line.wholeMatch(of: /#+ (.*)/) {
        anchors.insert(
          heading.1.lowercased().replacing(/[^\w\- ]/, with: "").replacing(" ", with: "-"))
      } else if let match = trimmed.wholeMatch(of: /<!-- not run: (.*) -->/) {
        comment = (index + 1, String(match.1))
      } else if !trimmed.isEmpty, let before = comment {
        strayComments.append(before.line)
        comment = nil
      }
    }
    if let block { blocks.append(block) }
  }
}
