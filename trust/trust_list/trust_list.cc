#include "trust/trust_list/trust_list.h"

#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "trust/status_macros.h"
#include "trust/tlv_element.h"

namespace trustline {
namespace {

constexpr size_t kMaxParsedBytes = 2 << 20;  // what a phone downloads at most
constexpr size_t kMaxParsedRecords = 1000;   // bounds memory; phones take far fewer

uint8_t ByteAt(absl::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

uint16_t U16At(absl::string_view bytes, size_t at) {
  return static_cast<uint16_t>(ByteAt(bytes, at) << 8 | ByteAt(bytes, at + 1));
}

absl::Status Bad(size_t offset, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("trust list: byte ", offset, ": ", what));
}

std::string Named(uint8_t tag, absl::string_view text) {
  return text.empty() ? absl::StrCat("element ", tag)
                      : absl::StrCat("element ", tag, " (", text, ")");
}

// Walks the elements of bytes[begin, end), stepping into those that hold others.
class ElementWalk {
 public:
  using TagText = absl::string_view (*)(uint8_t);
  ElementWalk(absl::string_view bytes, size_t begin, size_t end, TagText text)
      : reader_(bytes.substr(0, end), TlvReader::Padding::kLoneBytes, begin), text_(text) {}

  // The next element, or nullopt at the end. `holds_others` says of a tag that its value is
  // elements; these must end where it ends.
  absl::StatusOr<std::optional<ListElement>> Next(bool (*holds_others)(uint8_t)) {
    absl::StatusOr<std::optional<TlvElement>> next = reader_.Next();
    if (!next.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("trust list: ", next.status().message()));
    }
    if (!*next) return std::optional<ListElement>();
    const ListElement element{(*next)->offset, (*next)->tag, (*next)->value.size()};
    const size_t end = element.offset + kElementHead + element.length;
    while (!open_.empty() && open_.back() <= element.offset) open_.pop_back();
    const std::string name = Named(element.tag, text_(element.tag));
    if (!open_.empty() && end > open_.back()) {
      return Bad(element.offset, absl::StrCat(name, " ends behind the element that holds it"));
    }
    if (holds_others(element.tag)) {
      if (element.length == 0) return Bad(element.offset, absl::StrCat(name, " is empty"));
      open_.push_back(end);
      reader_.StepInto(**next);
    }
    return std::optional<ListElement>(element);
  }

 private:
  TlvReader reader_;
  TagText text_;
  std::vector<size_t> open_;  // ends of the containers around, innermost last
};

// One element whose place and length are known to lie inside the file.
struct Value {
  absl::string_view bytes;
  const ListElement& element;
  ElementWalk::TagText text;

  absl::string_view raw() const {
    return bytes.substr(element.offset + kElementHead, element.length);
  }
  absl::Status Wrong(absl::string_view what) const {
    return Bad(element.offset, absl::StrCat(Named(element.tag, text(element.tag)), " ", what));
  }
  absl::Status NeedLength(size_t wanted) const {
    if (element.length == wanted) return absl::OkStatus();
    return Wrong(absl::StrCat("has ", element.length, " bytes and needs ", wanted));
  }
  absl::StatusOr<std::string> Bytes() const {
    if (element.length == 0) return Wrong("is there and empty");
    return std::string(raw());
  }
  // A NUL inside would make a name end early for one reader and not for another.
  absl::StatusOr<std::string> Name() const {
    if (element.length == 0 || raw().find('\0') != element.length - 1)
      return Wrong("is not a name that ends with its only NUL");
    return std::string(raw().substr(0, element.length - 1));
  }
  absl::StatusOr<uint8_t> U8() const {
    TL_RETURN_IF_ERROR(NeedLength(1));
    return ByteAt(raw(), 0);
  }
  absl::StatusOr<uint16_t> U16() const {
    TL_RETURN_IF_ERROR(NeedLength(2));
    return U16At(raw(), 0);
  }
  absl::StatusOr<ListVersion> Version() const {
    TL_RETURN_IF_ERROR(NeedLength(2));
    return ListVersion{ByteAt(raw(), 0), ByteAt(raw(), 1)};
  }
};

bool HeaderHoldsOthers(uint8_t tag) {
  return tag == kHeaderSignerInfo || tag == kHeaderSignatureInfo || tag == kHeaderAlgorithmInfo;
}
bool HoldsNothing(uint8_t) { return false; }

absl::Status ReadHeaderElement(const Value& value, TrustListHeader* header) {
  switch (value.element.tag) {
    case kHeaderVersion: {
      TL_ASSIGN_OR_RETURN(header->version, value.Version());
      if (header->version.major == 1) return absl::OkStatus();
      return value.Wrong(absl::StrCat("is ", header->version.major, ".", header->version.minor,
                                      "; trust lists are 1.0 to 1.2"));
    }
    case kHeaderLength: {
      TL_ASSIGN_OR_RETURN(header->length, value.U16());
      return absl::OkStatus();
    }
    case kHeaderSignerVersion: {
      TL_ASSIGN_OR_RETURN(header->signer_version, value.Version());
      return absl::OkStatus();
    }
    case kHeaderSignerName: {
      TL_ASSIGN_OR_RETURN(header->signer_name, value.Name());
      return absl::OkStatus();
    }
    case kHeaderSignerSerial: {
      TL_ASSIGN_OR_RETURN(header->signer_serial, value.Bytes());
      return absl::OkStatus();
    }
    case kHeaderSignerIssuer: {
      TL_ASSIGN_OR_RETURN(header->signer_issuer, value.Name());
      return absl::OkStatus();
    }
    case kHeaderDigest: {
      TL_ASSIGN_OR_RETURN(header->digest, value.U8());
      return absl::OkStatus();
    }
    case kHeaderAlgorithm: {
      TL_ASSIGN_OR_RETURN(header->algorithm, value.U8());
      return absl::OkStatus();
    }
    case kHeaderModulus: {
      TL_ASSIGN_OR_RETURN(header->modulus, value.U8());
      return absl::OkStatus();
    }
    case kHeaderSignature: {
      TL_ASSIGN_OR_RETURN(header->signature, value.Bytes());
      return absl::OkStatus();
    }
    case kHeaderFileName: {
      TL_ASSIGN_OR_RETURN(header->file_name, value.Name());
      return absl::OkStatus();
    }
    case kHeaderTimestamp: {
      TL_RETURN_IF_ERROR(value.NeedLength(4));
      header->timestamp = uint32_t{U16At(value.raw(), 0)} << 16 | U16At(value.raw(), 2);
      return absl::OkStatus();
    }
    default:
      return absl::OkStatus();  // a container, or one for readers to come
  }
}

absl::Status ReadHeader(absl::string_view bytes, TrustListHeader* header) {
  constexpr size_t kFixedHead = 10;  // version and header length
  if (bytes.size() < kFixedHead || ByteAt(bytes, 0) != kHeaderVersion || U16At(bytes, 1) != 2 ||
      ByteAt(bytes, 5) != kHeaderLength || U16At(bytes, 6) != 2) {
    return absl::InvalidArgumentError(
        "not a trust list: it does not begin with a version and a header length");
  }
  const size_t length = U16At(bytes, 8);
  if (length < kFixedHead || length > bytes.size()) {
    return Bad(
        5, absl::StrCat("the header length is ", length, " in a file of ", bytes.size(), " bytes"));
  }
  std::set<uint8_t> seen;
  ElementWalk walk(bytes, 0, length, HeaderTagText);
  while (true) {
    TL_ASSIGN_OR_RETURN(const std::optional<ListElement> element, walk.Next(HeaderHoldsOthers));
    if (!element) break;
    const Value value{bytes, *element, HeaderTagText};
    if (!seen.insert(element->tag).second && !HeaderTagText(element->tag).empty())
      return value.Wrong("comes twice");
    TL_RETURN_IF_ERROR(ReadHeaderElement(value, header));
    header->elements.push_back(*element);
  }
  for (uint8_t tag : {kHeaderSignerSerial, kHeaderSignerIssuer, kHeaderDigest, kHeaderSignature}) {
    if (seen.count(tag) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("trust list: its header has no ", Named(tag, HeaderTagText(tag))));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadRecordElement(const Value& value, TrustListRecord* record) {
  switch (value.element.tag) {
    case kRecordDnsName: {
      TL_ASSIGN_OR_RETURN(record->dns_name, value.Name());
      return absl::OkStatus();
    }
    case kRecordSubject: {
      TL_ASSIGN_OR_RETURN(record->subject, value.Name());
      return absl::OkStatus();
    }
    case kRecordRole: {
      TL_ASSIGN_OR_RETURN(record->role, value.U16());
      return absl::OkStatus();
    }
    case kRecordIssuer: {
      TL_ASSIGN_OR_RETURN(record->issuer, value.Name());
      return absl::OkStatus();
    }
    case kRecordSerial: {
      TL_ASSIGN_OR_RETURN(record->serial, value.Bytes());
      return absl::OkStatus();
    }
    case kRecordPublicKey: {
      TL_ASSIGN_OR_RETURN(record->public_key, value.Bytes());
      return absl::OkStatus();
    }
    case kRecordSignature: {
      TL_ASSIGN_OR_RETURN(record->certificate_signature, value.Bytes());
      return absl::OkStatus();
    }
    case kRecordCertificate: {
      TL_ASSIGN_OR_RETURN(record->certificate, value.Bytes());
      return absl::OkStatus();
    }
    case kRecordAddress: {
      TL_RETURN_IF_ERROR(value.NeedLength(4));
      record->address.emplace();
      for (size_t i = 0; i < 4; ++i) (*record->address)[i] = ByteAt(value.raw(), i);
      return absl::OkStatus();
    }
    case kRecordCertificateHash: {
      TL_ASSIGN_OR_RETURN(record->certificate_hash, value.Bytes());
      return absl::OkStatus();
    }
    case kRecordHashAlgorithm: {
      TL_ASSIGN_OR_RETURN(record->hash_algorithm, value.Bytes());
      return absl::OkStatus();
    }
    default:
      return absl::OkStatus();
  }
}

// `head` is the record's length element.
absl::StatusOr<TrustListRecord> ReadRecord(absl::string_view bytes, const ListElement& head) {
  constexpr size_t kRecordHead = 5;
  const Value own_length{bytes, head, RecordTagText};
  TL_ASSIGN_OR_RETURN(const size_t length, own_length.U16());
  if (length < kRecordHead || length > bytes.size() - head.offset) {
    return Bad(head.offset, absl::StrCat("the record length is ", length, " where ",
                                         bytes.size() - head.offset, " bytes are left"));
  }
  TrustListRecord record;
  record.offset = head.offset;
  record.length = length;
  record.elements.push_back(head);
  std::set<uint8_t> seen = {kRecordLength};
  ElementWalk walk(bytes, head.offset + kRecordHead, head.offset + length, RecordTagText);
  while (true) {
    TL_ASSIGN_OR_RETURN(const std::optional<ListElement> element, walk.Next(HoldsNothing));
    if (!element) return record;
    const Value value{bytes, *element, RecordTagText};
    if (!seen.insert(element->tag).second && !RecordTagText(element->tag).empty())
      return value.Wrong("comes twice in one record");
    TL_RETURN_IF_ERROR(ReadRecordElement(value, &record));
    record.elements.push_back(*element);
  }
}

}  // namespace

bool TrustList::IsCtl() const {
  if (header.file_name) return absl::StartsWithIgnoreCase(*header.file_name, "CTL");
  for (const TrustListRecord& record : records) {
    if (record.Is(ListRole::kTvs)) return false;
  }
  return true;
}

std::string TrustList::SignedBytes() const {
  for (const ListElement& element : header.elements) {
    if (element.tag != kHeaderSignature) continue;
    return absl::StrCat(
        absl::string_view(bytes).substr(0, element.offset),
        absl::string_view(bytes).substr(element.offset + kElementHead + element.length));
  }
  return bytes;
}

std::string TrustList::TimelessBytes() const {
  std::string timeless = SignedBytes();
  size_t signature = bytes.size(), signature_size = 0;
  for (const ListElement& element : header.elements) {
    if (element.tag != kHeaderSignature) continue;
    signature = element.offset;
    signature_size = kElementHead + element.length;
  }
  for (const ListElement& element : header.elements) {
    if (element.tag != kHeaderTimestamp) continue;
    const size_t value = element.offset + kElementHead;
    timeless.replace(value > signature ? value - signature_size : value, element.length,
                     element.length, '\0');
  }
  return timeless;
}

absl::StatusOr<TrustList> ParseTrustList(absl::string_view bytes) {
  if (bytes.size() > kMaxParsedBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "trust list: ", bytes.size(), " bytes; more than ", kMaxParsedBytes, " are not read"));
  }
  TrustList list;
  TL_RETURN_IF_ERROR(ReadHeader(bytes, &list.header));
  size_t at = list.header.length;
  while (at < bytes.size()) {
    ElementWalk walk(bytes, at, bytes.size(), RecordTagText);
    TL_ASSIGN_OR_RETURN(const std::optional<ListElement> head, walk.Next(HoldsNothing));
    if (!head) break;
    if (head->tag != kRecordLength) {  // phones skip what they do not know between records
      at = head->offset + kElementHead + head->length;
      continue;
    }
    if (list.records.size() == kMaxParsedRecords) {
      return absl::InvalidArgumentError(
          absl::StrCat("trust list: more than ", kMaxParsedRecords, " records"));
    }
    TL_ASSIGN_OR_RETURN(TrustListRecord record, ReadRecord(bytes, *head));
    at = record.offset + record.length;
    list.records.push_back(std::move(record));
  }
  list.bytes = std::string(bytes);
  return list;
}

bool SameSerial(absl::string_view a, absl::string_view b) {
  while (a.size() > 1 && a.front() == '\0') a.remove_prefix(1);
  while (b.size() > 1 && b.front() == '\0') b.remove_prefix(1);
  return a == b;
}

}  // namespace trustline
