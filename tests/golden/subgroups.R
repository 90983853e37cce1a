# R's answers on effects within subgroups and the differences between them.
#
#   Rscript subgroups.R [folder]
#
# draws subgroups_people.csv (and subgroups_months.csv), asks R, and writes subgroups.csv with 17 digits and
# subgroups_versions.csv. Needs sandwich, clubSandwich, survival, metafor.

suppressPackageStartupMessages({ library(sandwich); library(clubSandwich); library(survival); library(metafor) })
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))

set.seed(20260501)
n <- 360
d <- data.frame(person_id = 1:n, arm = rep(c("control", "ips"), n / 2), site = sample(1:6, n, TRUE), ward = sample(1:40, n, TRUE))
d$age <- sample(18:60, n, TRUE)
d$edu <- sample(c("basic", "middle", "upper"), n, TRUE, c(0.4, 0.35, 0.25))
d$young <- ifelse(d$age <= 30, "yes", "no")
treated <- as.numeric(d$arm == "ips")
d$works <- rbinom(n, 1, plogis(-1 + 0.6 * treated + 0.4 * (d$young == "yes") * treated + 0.5 * (d$edu == "upper") - 0.01 * (d$age - 35)))
d$pay <- round(exp(rnorm(n, 2 + 0.2 * treated + 0.2 * (d$edu == "upper"), 0.6)), 3)
d$time <- pmin(rgeom(n, plogis(-3 + 0.5 * treated + 0.3 * (d$young == "yes"))) + 1, sample(20:30, n, TRUE))
d$event <- as.numeric(runif(n) < 0.8)
months <- 1:6
m <- d[rep(1:n, each = 6), c("person_id", "arm", "site", "ward", "young", "edu")]
m$month <- rep(months, n)
m$works <- rbinom(nrow(m), 1, plogis(-1.5 + 0.1 * m$month + 0.5 * (m$arm == "ips") + rep(rnorm(n), each = 6)))
write.csv(d, file.path(folder, "subgroups_people.csv"), row.names = FALSE, quote = FALSE)
write.csv(m, file.path(folder, "subgroups_months.csv"), row.names = FALSE, quote = FALSE)
d$total <- tapply(m$works, m$person_id, sum)[as.character(d$person_id)]

answers <- list()
add <- function(case, subgroup, scale, level, estimate, error, df = Inf, ratio = FALSE) {
  q <- if (is.finite(df)) qt(0.975, df) else qnorm(0.975)
  back <- if (ratio) exp else identity
  p <- if (is.finite(df)) 2 * pt(-abs(estimate / error), df) else 2 * pnorm(-abs(estimate / error))
  answers[[length(answers) + 1]] <<- data.frame(case = case, subgroup = subgroup, scale = scale, level = level,
    estimate = back(estimate), std_error = error, conf_low = back(estimate - q * error), conf_high = back(estimate + q * error),
    p_value = p)
}
test <- function(case, subgroup, scale, statistic, p) answers[[length(answers) + 1]] <<- data.frame(case = case,
  subgroup = subgroup, scale = scale, level = "all", estimate = statistic, std_error = NA, conf_low = NA, conf_high = NA, p_value = p)
tight <- glm.control(epsilon = 1e-14, maxit = 200)
levels_of <- function(g) sort(unique(d[[g]]))[-1]
terms_of <- function(g) paste0("treated:factor(", g, ")", levels_of(g))
d$treated <- treated

for (g in c("young", "edu")) {
  # yes or no: three links of a saturated model
  start <- NULL
  for (link in c("identity", "log", "logit")) {
    scale <- c(identity = "risk_difference", log = "risk_ratio", logit = "odds_ratio")[[link]]
    means <- tapply(d$works, list(d[[g]], d$treated), mean)
    f <- as.formula(paste("works ~ treated * factor(", g, ")"))
    x <- model.matrix(f, d)
    eta <- binomial(link)$linkfun(ave(d$works, d[[g]], d$treated))
    fit <- glm(f, binomial(link), d, control = tight, start = qr.coef(qr(x), eta))
    for (l in seq_along(levels_of(g))) {
      k <- terms_of(g)[l]
      add("rate", g, scale, levels_of(g)[l], coef(fit)[[k]], sqrt(vcov(fit)[k, k]), ratio = link != "identity")
    }
    if (g == "edu" && link == "identity") {
      k <- terms_of(g); w <- drop(coef(fit)[k] %*% solve(vcov(fit)[k, k]) %*% coef(fit)[k])
      test("rate", g, scale, w, pchisq(w, length(k), lower.tail = FALSE))
    }
  }
  # adjusted for age: the coefficient, and g-computation by the delta method
  fit <- glm(as.formula(paste("works ~ treated * factor(", g, ") + age")), binomial, d, control = tight)
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    add("adjusted", g, "conditional_odds_ratio", levels_of(g)[l], coef(fit)[[k]], sqrt(vcov(fit)[k, k]), ratio = TRUE)
  }
  k <- terms_of(g); w <- drop(coef(fit)[k] %*% solve(vcov(fit)[k, k]) %*% coef(fit)[k])
  if (g == "edu") test("adjusted", g, "conditional_odds_ratio", w, pchisq(w, length(k), lower.tail = FALSE))
  risk <- function(level, arm) {
    own <- d[d[[g]] == level, ]
    own$treated <- arm
    x <- model.matrix(delete.response(terms(fit)), own, xlev = fit$xlevels)
    p <- plogis(drop(x %*% coef(fit)))
    list(p = mean(p), slope = colMeans(p * (1 - p) * x))
  }
  base <- sort(unique(d[[g]]))[1]
  for (level in levels_of(g)) for (scale in c("risk_difference", "risk_ratio", "odds_ratio")) {
    f <- switch(scale, risk_difference = identity, risk_ratio = log, odds_ratio = qlogis)
    s <- switch(scale, risk_difference = function(p) 1, risk_ratio = function(p) 1 / p, odds_ratio = function(p) 1 / (p * (1 - p)))
    value <- 0; slope <- 0
    for (side in list(list(level, 1, 1), list(level, 0, -1), list(base, 1, -1), list(base, 0, 1))) {
      r <- risk(side[[1]], side[[2]])
      value <- value + side[[3]] * f(r$p)
      slope <- slope + side[[3]] * s(r$p) * r$slope
    }
    add("adjusted", g, scale, level, value, sqrt(drop(slope %*% vcov(fit) %*% slope)), ratio = scale != "risk_difference")
  }
  # numbers: HC2 with Welch's degrees of freedom, HC2 with a covariate, and lm's own errors
  f <- as.formula(paste("pay ~ treated * factor(", g, ")"))
  fit <- lm(f, d)
  cells <- d$treated + 10 * as.numeric(factor(d[[g]]))
  v <- tapply(d$pay, cells, var) / table(cells); size <- table(cells)
  hc2 <- vcovHC(fit, type = "HC2")
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    own <- as.character(c(10, 11, 10 * (l + 1), 10 * (l + 1) + 1))
    welch <- sum(v[own])^2 / sum(v[own]^2 / (size[own] - 1))
    add("number", g, "mean_difference", levels_of(g)[l], coef(fit)[[k]], sqrt(hc2[k, k]), welch)
    add("number model", g, "mean_difference", levels_of(g)[l], coef(fit)[[k]], sqrt(vcov(fit)[k, k]), df.residual(fit))
  }
  if (g == "edu") {
    a <- anova(lm(pay ~ treated + factor(edu), d), fit)
    test("number model", g, "mean_difference", a$F[2] * 2, a$`Pr(>F)`[2])
  }
  fit <- lm(as.formula(paste("pay ~ treated * factor(", g, ") + age")), d)
  hc2 <- vcovHC(fit, type = "HC2")
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    add("number adjusted", g, "mean_difference", levels_of(g)[l], coef(fit)[[k]], sqrt(hc2[k, k]), df.residual(fit))
  }
  # clusters: 40 wards by the sandwich, six sites by CR2 and Satterthwaite
  fit <- lm(as.formula(paste("works ~ treated * factor(", g, ")")), d)
  cl <- vcovCL(fit, cluster = d$ward, type = "HC1")
  cr <- vcovCR(fit, cluster = d$site, type = "CR2")
  df <- coef_test(fit, cr, test = "Satterthwaite")
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    add("rate wards", g, "risk_difference", levels_of(g)[l], coef(fit)[[k]], sqrt(cl[k, k]))
    add("rate sites", g, "risk_difference", levels_of(g)[l], coef(fit)[[k]], df[k, "SE"], df[k, "df_Satt"])
  }
  # times
  for (case in c("time", "time adjusted", "time wards")) {
    f <- paste("Surv(time, event) ~ treated * factor(", g, ")", if (case == "time adjusted") "+ age")
    control <- coxph.control(eps = 1e-14, toler.chol = 1e-15, iter.max = 100)
    fit <- if (case == "time wards") coxph(as.formula(f), d, cluster = ward, control = control) else coxph(as.formula(f), d, control = control)
    for (l in seq_along(levels_of(g))) {
      k <- terms_of(g)[l]
      add(case, g, "hazard_ratio", levels_of(g)[l], coef(fit)[[k]], sqrt(vcov(fit)[k, k]), ratio = TRUE)
    }
    k <- terms_of(g); w <- drop(coef(fit)[k] %*% solve(vcov(fit)[k, k]) %*% coef(fit)[k])
    if (g == "edu" && case == "time") test(case, g, "hazard_ratio", w, pchisq(w, length(k), lower.tail = FALSE))
  }
  # months in work: the linear model of totals, each cell with its own variance
  fit <- lm(as.formula(paste("total ~ treated * factor(", g, ")")), d)
  hc2 <- vcovHC(fit, type = "HC2")
  v <- tapply(d$total, cells, var) / table(cells)
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    own <- as.character(c(10, 11, 10 * (l + 1), 10 * (l + 1) + 1))
    add("months", g, "mean_difference", levels_of(g)[l], coef(fit)[[k]], sqrt(hc2[k, k]), sum(v[own])^2 / sum(v[own]^2 / (size[own] - 1)))
  }
  cr <- vcovCR(fit, cluster = d$site, type = "CR2")
  df <- coef_test(fit, cr, test = "Satterthwaite")
  for (l in seq_along(levels_of(g))) {
    k <- terms_of(g)[l]
    add("months sites", g, "mean_difference", levels_of(g)[l], coef(fit)[[k]], df[k, "SE"], df[k, "df_Satt"])
  }
}
# few events: half a person more on either side of each cell (Firth's penalty of a saturated logistic model)
few <- d[1:60, ]
few$works[few$young == "yes" & few$treated == 1] <- 0
e <- tapply(few$works, list(few$young, few$treated), sum) + 0.5
s <- table(few$young, few$treated) + 1
add("few", "young", "odds_ratio", "yes", sum(qlogis(e / s) * c(1, -1, -1, 1)), sqrt(sum(1 / e + 1 / (s - e))), ratio = TRUE)
# shrunken: the model of Dixon and Simon on both subgroups of one question, joint covariance by hand, and metafor on one subgroup
value <- c(); influence <- c(); names_of <- c()
for (g in c("young", "edu")) for (level in sort(unique(d[[g]]))) {
  p <- sapply(0:1, function(a) mean(d$works[d[[g]] == level & d$treated == a]))
  z <- sapply(1:n, function(i) if (d[[g]][i] != level) 0 else (2 * d$treated[i] - 1) *
    (d$works[i] - p[d$treated[i] + 1]) / sum(d[[g]] == level & d$treated == d$treated[i]))
  value <- c(value, p[2] - p[1]); influence <- cbind(influence, z); names_of <- c(names_of, paste(g, level))
}
v <- crossprod(influence); tau <- 0.1
w <- solve(v + tau^2 * diag(length(value)))
mu <- sum(w %*% value) / sum(w)
post <- mu + tau^2 * drop(w %*% (value - mu))
pull <- tau^2 * w
left <- 1 - pull %*% rep(1, length(value))
sd_post <- sqrt(diag(tau^2 * diag(length(value)) - pull %*% (tau^2 * diag(length(value)))) + drop(left)^2 / sum(w))
for (i in seq_along(value)) answers[[length(answers) + 1]] <- data.frame(case = "shrunken", subgroup = sub(" .*", "", names_of[i]),
  scale = "risk_difference", level = sub(".* ", "", names_of[i]), estimate = post[i], std_error = sd_post[i],
  conf_low = post[i] - qnorm(0.975) * sd_post[i], conf_high = post[i] + qnorm(0.975) * sd_post[i], p_value = NA)
fit <- rma(yi = value[3:5], vi = diag(v)[3:5], tau2 = 0.1^2)
b <- blup(fit)
for (i in 1:3) answers[[length(answers) + 1]] <- data.frame(case = "shrunken metafor", subgroup = "edu", scale = "risk_difference",
  level = sub(".* ", "", names_of[i + 2]), estimate = b$pred[i], std_error = b$se[i], conf_low = NA, conf_high = NA, p_value = NA)
out <- do.call(rbind, answers)
for (column in c("estimate", "std_error", "conf_low", "conf_high", "p_value")) out[[column]] <- digits(out[[column]])
write.csv(out, file.path(folder, "subgroups.csv"), row.names = FALSE, quote = FALSE)
packages <- c("sandwich", "clubSandwich", "survival", "metafor")
write.csv(data.frame(name = c("R", packages), version = c(paste(R.version$major, R.version$minor, sep = "."),
  sapply(packages, function(p) as.character(packageVersion(p))))), file.path(folder, "subgroups_versions.csv"), row.names = FALSE, quote = FALSE)
