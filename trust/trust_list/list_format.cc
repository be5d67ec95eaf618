#include "trust/trust_list/list_format.h"

namespace trustline {

absl::string_view RoleText(uint16_t role) {
  switch (static_cast<ListRole>(role)) {
    case ListRole::kSast:
      return "System Administrator Security Token";
    case ListRole::kCcm:
      return "CCM";
    case ListRole::kCcmTftp:
      return "CCM+TFTP";
    case ListRole::kTftp:
      return "TFTP";
    case ListRole::kCapf:
      return "CAPF";
    case ListRole::kAppServer:
      return "APP-SERVER";
    case ListRole::kTvs:
      return "TVS";
  }
  return "";
}

absl::string_view HeaderTagText(uint8_t tag) {
  switch (tag) {
    case kHeaderVersion:
      return "VERSION";
    case kHeaderLength:
      return "HEADERLENGTH";
    case kHeaderSignerInfo:
      return "SIGNERID";
    case kHeaderSignerName:
      return "SIGNERNAME";
    case kHeaderSignerSerial:
      return "SERIALNUMBER";
    case kHeaderSignerIssuer:
      return "CANAME";
    case kHeaderSignatureInfo:
      return "SIGNATUREINFO";
    case kHeaderDigest:
      return "DIGESTALGORTITHM";
    case kHeaderAlgorithmInfo:
      return "SIGNATUREALGOINFO";
    case kHeaderAlgorithm:
      return "SIGNATUREALGORTITHM";
    case kHeaderModulus:
      return "SIGNATUREMODULUS";
    case kHeaderSignature:
      return "SIGNATURE";
    case kHeaderFileName:
      return "FILENAME";
    case kHeaderTimestamp:
      return "TIMESTAMP";
    case kHeaderSignerVersion:
      return "SIGNERVERSION";
    default:
      return "";
  }
}

absl::string_view RecordTagText(uint8_t tag) {
  switch (tag) {
    case kRecordLength:
      return "RECORDLENGTH";
    case kRecordDnsName:
      return "DNSNAME";
    case kRecordSubject:
      return "SUBJECTNAME";
    case kRecordRole:
      return "FUNCTION";
    case kRecordIssuer:
      return "ISSUERNAME";
    case kRecordSerial:
      return "SERIALNUMBER";
    case kRecordPublicKey:
      return "PUBLICKEY";
    case kRecordSignature:
      return "SIGNATURE";
    case kRecordCertificate:
      return "CERTIFICATE";
    case kRecordAddress:
      return "IPADDRESS";
    case kRecordCertificateHash:
      return "CERTHASH";
    case kRecordHashAlgorithm:
      return "HASH ALGORITHM";
    default:
      return "";
  }
}

}  // namespace trustline
