// The JSON schema editors check playbooks with. What a kind takes comes from the descriptors; plays
// and tasks are written out here.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "protos/generic/enum_words.h"
#include "protos/generic/field_text.h"
#include "protos/generic/kinds.h"
#include "protos/trustline/v1/secret.pb.h"
#include "protos/yaml/document.h"

namespace trustline {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Json = nlohmann::ordered_json;

Json Ref(const std::string& definition) { return {{"$ref", "#/$defs/" + definition}}; }

// Wherever a value may stand, a template that yields one may stand too.
Json OrTemplate(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), Ref("template")})}};
}

Json Text(const std::string& description) {
  return {{"type", "string"}, {"description", description}};
}

Json TextOrList(const std::string& description) {
  const Json text = {{"type", "string"}};
  return {{"description", description},
          {"anyOf", Json::array({text, Json{{"type", "array"}, {"items", text}}})}};
}

class Definitions {
 public:
  // Defines the message, and those in it, once; a reference to it.
  Json Message(const Descriptor& type) {
    if (!all_.contains(type.name())) {
      all_[type.name()] = nullptr;  // keeps the place in the order of first use
      all_[type.name()] = Map(type);
    }
    return Ref(type.name());
  }

  void Add(const std::string& name, Json schema) { all_[name] = std::move(schema); }
  Json Take() { return std::move(all_); }

 private:
  Json Map(const Descriptor& type) {
    Json properties = Json::object();
    Json required = Json::array();
    Json rules = Json::array();
    std::vector<std::pair<std::string, std::vector<const FieldDescriptor*>>> groups;
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor& field = *type.field(i);
      const v1::FieldRule& rule = RuleOf(field);
      properties[field.name()] = Field(field);
      if (rule.one_of_group().empty()) {
        if (rule.required()) required.push_back(field.name());
        continue;
      }
      if (groups.empty() || groups.back().first != rule.one_of_group()) {
        groups.push_back({rule.one_of_group(), {}});
      }
      groups.back().second.push_back(&field);
    }
    for (const auto& [name, fields] : groups) rules.push_back(Group(fields));
    Json schema = {{"type", "object"}, {"properties", std::move(properties)}};
    if (!required.empty()) schema["required"] = std::move(required);
    if (!rules.empty()) schema["allOf"] = std::move(rules);
    schema["additionalProperties"] = false;
    return schema;
  }

  // Exactly one of a required group, at most one of another.
  static Json Group(const std::vector<const FieldDescriptor*>& fields) {
    Json choices = Json::array();
    Json any = Json::array();
    bool required = false;
    for (const FieldDescriptor* field : fields) {
      choices.push_back({{"required", Json::array({field->name()})}});
      any.push_back(choices.back());
      required = required || RuleOf(*field).required();
    }
    if (!required) choices.push_back({{"not", {{"anyOf", std::move(any)}}}});
    return {{"oneOf", std::move(choices)}};
  }

  Json Field(const FieldDescriptor& field) {
    const v1::FieldRule& rule = RuleOf(field);
    Json schema = Scalar(field);
    if (field.is_repeated()) {
      schema = {{"type", "array"}, {"items", OrTemplate(std::move(schema))}};
      const uint32_t least = std::max<uint32_t>(rule.min_items(), rule.required() ? 1 : 0);
      if (least > 0) schema["minItems"] = least;
      if (rule.max_items() > 0) schema["maxItems"] = rule.max_items();
    }
    schema = OrTemplate(std::move(schema));
    if (!rule.doc().empty()) schema["description"] = rule.doc();
    if (!rule.default_value().empty()) schema["default"] = Default(field);
    return schema;
  }

  Json Scalar(const FieldDescriptor& field) {
    const v1::FieldRule& rule = RuleOf(field);
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return field.message_type() == v1::SecretRef::descriptor() ? Ref("secret")
                                                                   : Message(*field.message_type());
      case FieldDescriptor::CPPTYPE_ENUM:
        return {{"enum", EnumWords(*field.enum_type())}};
      case FieldDescriptor::CPPTYPE_BOOL:
        return {{"type", "boolean"}};
      case FieldDescriptor::CPPTYPE_STRING: {
        Json schema = {{"type", "string"}};
        if (!rule.pattern().empty()) schema["pattern"] = absl::StrCat("^(?:", rule.pattern(), ")$");
        if (rule.required() && rule.pattern().empty()) schema["minLength"] = 1;
        return schema;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return {{"type", "number"}};
      case FieldDescriptor::CPPTYPE_UINT32:
        return {{"type", "integer"}, {"minimum", 0}, {"maximum", UINT32_MAX}};
      case FieldDescriptor::CPPTYPE_UINT64:
        return {{"type", "integer"}, {"minimum", 0}};
      default:
        return {{"type", "integer"}};
    }
  }

  static Json Default(const FieldDescriptor& field) {
    yaml::Diagnostics diagnostics;
    const yaml::Value value =
        yaml::ParseYaml("default", RuleOf(field).default_value(), diagnostics);
    switch (value.type()) {
      case yaml::Type::kBool:
        return value.bool_value();
      case yaml::Type::kInt:
        return value.int_value();
      case yaml::Type::kFloat:
        return value.float_value();
      default:
        return RuleOf(field).default_value();
    }
  }

  Json all_ = Json::object();
};

Json Task(Definitions& definitions, bool handler) {
  Json properties = {
      {"name", Text(handler ? "what tasks notify" : "shown in reports")},
      {"when",
       {{"description", "the task counts only where this is true; bare expression"},
        {"type", Json::array({"string", "boolean"})}}},
      {"tags", TextOrList("chosen by --tags and --skip-tags; always and never are special")},
      {"mode",
       {{"enum", Json::array({"enforce", "report"})},
        {"default", "enforce"},
        {"description", "report: say what would change, change nothing"}}},
  };
  if (!handler) {
    properties["loop"] = {{"description", "one resource per item, called {{ item }}"},
                          {"anyOf", Json::array({Json{{"type", "array"}}, Ref("template")})}};
    properties["after"] = TextOrList("names of tasks of this play that must have converged before");
    properties["notify"] =
        TextOrList("names of handlers whose service must load what this changes");
    properties["pause"] = {{"description", "stop here until the operator confirms"},
                           {"type", "object"},
                           {"properties", {{"prompt", Text("what to ask")}}},
                           {"required", Json::array({"prompt"})},
                           {"additionalProperties", false}};
  }
  Json choices = Json::array();
  if (!handler) choices.push_back({{"required", Json::array({"pause"})}});
  for (const KindDescriptor& kind : AllKinds()) {
    if (handler && kind.spec != v1::ServiceSpec::descriptor()) continue;
    Json schema = OrTemplate(definitions.Message(*kind.spec));
    schema["description"] = kind.rule.summary();
    properties[kind.name] = std::move(schema);
    choices.push_back({{"required", Json::array({kind.name})}});
  }
  Json task = {{"type", "object"}, {"properties", std::move(properties)}};
  if (handler) {
    task["required"] = Json::array({"name"});
  } else {
    // A pause stops the whole play, so nothing that selects hosts or resources goes with it.
    task["dependentSchemas"] = {
        {"pause", {{"propertyNames", {{"enum", Json::array({"name", "pause"})}}}}}};
  }
  task["oneOf"] = std::move(choices);
  task["additionalProperties"] = false;
  return task;
}

Json Gate() {
  const auto number = [](const char* description, int most) {
    Json json = OrTemplate({{"type", "integer"}, {"minimum", 1}, {"maximum", most}});
    json["description"] = description;
    return json;
  };
  const auto flag = [](const char* description) {
    Json json = OrTemplate({{"type", "boolean"}});
    json["description"] = description;
    return json;
  };
  const Json properties = {
      {"phones", Text("CSV file with the phones' evidence, relative to the playbook")},
      {"run_on", TextOrList("host pattern: the nodes in the phones' networks that judge")},
      {"require_return", flag("the way back must be proven too")},
      {"allow_unproven", flag("accept although nothing is known of some phones")},
      {"lenient", flag("judge as the most forgiving phone where the behaviour is not known")},
      {"max_age", Text("evidence older than this is none; 24h where nothing is said")},
      {"tftp_http_port", number("port phones fetch files from by HTTP", 65535)},
      {"tftp_port", number("port they fall back to", 65535)},
      {"tvs_port", number("port of the Trust Verification Service", 65535)},
      {"timeout_ms", number("longest wait for one answer of a server", 120000)},
  };
  Json gate = OrTemplate({{"type", "object"},
                          {"properties", properties},
                          {"required", Json::array({"phones", "run_on"})},
                          {"additionalProperties", false}});
  gate["description"] = "simulated phones must accept the destination before the pointers move";
  return gate;
}

Json Arrival() {
  const auto time = [](const char* description) {
    Json json = OrTemplate({{"type", "string"}, {"pattern", "^[1-9][0-9]*[smhd]$"}});
    json["description"] = description;
    return json;
  };
  Json share = OrTemplate({{"type", "string"}, {"pattern", "^([1-9][0-9]?|100)%$"}});
  share["description"] = "share of the wave's phones that must hold a list of the destination";
  const Json properties = {
      {"at_least", std::move(share)},
      {"within", time("how long they have, from the end of the wave's pause on: 30m")},
      {"every", time("how often their evidence is read again; 30s where nothing is said")},
  };
  Json arrival = OrTemplate({{"type", "object"},
                             {"properties", properties},
                             {"required", Json::array({"at_least", "within"})},
                             {"additionalProperties", false}});
  arrival["description"] =
      "wait for the gate's phones after each wave; stop and put the wave's pointers back when too "
      "few arrive";
  return arrival;
}

Json Play() {
  const Json batch = {
      {"anyOf", Json::array({Json{{"type", "integer"}, {"minimum", 1}},
                             Json{{"type", "string"}, {"pattern", "^[0-9]+%?$"}}})}};
  const Json wave = {{"type", "object"},
                     {"properties", {{"name", Text("shown in the plan; {{ wave.name }}")}}},
                     {"required", Json::array({"name"})},
                     {"additionalProperties", true}};
  Json budget = OrTemplate({{"type", "integer"}, {"minimum", 0}, {"maximum", 100}});
  budget["description"] =
      "hosts that may fail, the unreachable among them, before later plays stop";
  budget["default"] = 0;
  Json waves = OrTemplate({{"type", "array"}, {"minItems", 1}, {"items", wave}});
  waves["description"] =
      "the play once per item, one after the other; its fields are {{ wave.FIELD }}";
  const auto list_of = [](const std::string& definition, const std::string& description) {
    return Json{{"description", description}, {"type", "array"}, {"items", Ref(definition)}};
  };
  const Json properties = {
      {"name", Text("shown in the plan and the recap")},
      {"hosts", TextOrList("host pattern: a:b, :&, :!, globs, group[0]")},
      {"vars", {{"description", "variables of this play"}, {"type", "object"}}},
      {"serial",
       {{"description", "hosts per batch: a number, a percentage, or a list of them"},
        {"anyOf", Json::array({batch, Json{{"type", "array"}, {"items", batch}, {"minItems", 1}},
                               Ref("template")})}}},
      {"max_fail_percentage", std::move(budget)},
      {"tags", TextOrList("added to every task of the play")},
      {"tasks", list_of("task", "what is declared for every host of the play")},
      {"handlers", list_of("handler", "services to restart or reload when a task notifies them")},
      {"waves", std::move(waves)},
      {"gate", Gate()},
      {"arrival", Arrival()},
      {"require_no_stragglers",
       {{"description",
         "for plays that take the source away: wait until every phone has arrived or is excused"},
        {"type", "boolean"},
        {"default", false}}},
  };
  return {{"type", "object"},
          {"properties", properties},
          {"required", Json::array({"hosts"})},
          {"additionalProperties", false}};
}

}  // namespace

std::string PlaybookJsonSchema() {
  Definitions definitions;
  definitions.Add("template", {{"type", "string"}, {"pattern", "\\{\\{"}});
  definitions.Add("secret",
                  {{"type", "string"}, {"description", "a reference: !env NAME or !file PATH"}});
  definitions.Add("play", Play());
  Json task = Task(definitions, /*handler=*/false);
  Json handler = Task(definitions, /*handler=*/true);
  definitions.Add("task", std::move(task));
  definitions.Add("handler", std::move(handler));
  const Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                       {"title", "trustline playbook"},
                       {"type", "array"},
                       {"items", Ref("play")},
                       {"$defs", definitions.Take()}};
  return schema.dump(2) + "\n";
}

}  // namespace trustline
